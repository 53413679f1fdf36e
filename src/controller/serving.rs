//! Makes the serving state of an object of the catalogue, and keeps it: the same for every kind.

use super::{
    context::ControllerContext,
    failure::ReconcileFailure,
    leadership::LeadershipPart,
    revisions,
    world::{KeptView, WorkItem, World},
};
use crate::evaluation::catalogue::{CatalogueIngredients, Catalogued, Made, Present, Served};
use kube::api::ObjectMeta;
use std::sync::Arc;

/// All that is known of one object of the catalogue.
pub trait CatalogueView: Send + Sync + 'static {
    /// What serves of it.
    type Compiled: Catalogued;

    /// What is kept of it, and what serves up to now.
    fn kept(&self) -> &KeptView<Self::Compiled>;

    /// Its metadata, where it exists and was readable once.
    fn metadata(&self) -> Option<&ObjectMeta>;

    /// All that it is made of now, or why that cannot be told.
    ///
    /// # Errors
    /// As which it counts then.
    fn present(&self) -> Result<<Self::Compiled as Catalogued>::State, Present>;

    /// What its entry is made of.
    fn ingredients(&self) -> CatalogueIngredients<'_, Self::Compiled> {
        self.kept().ingredients(self.metadata())
    }
}

/// Makes what serves out of the object as it is now, or else out of its newest revision. The revision is kept first; where that
/// fails, what serves is kept in memory alone.
pub async fn renew<V: CatalogueView>(
    context: &ControllerContext,
    item: &WorkItem,
    view: &Arc<V>,
    serve: impl Fn(&mut World, Served<V::Compiled>),
) -> Result<(Served<V::Compiled>, Result<(), ReconcileFailure>), ReconcileFailure> {
    let from = Arc::clone(view);
    let (made, before) = context.lanes.run(item, move || compile(&*from)).await?;
    let (served, kept) = match made {
        Made::Last(served) => (served, Ok(())),
        Made::Present(valid) => {
            if let Some(before) = before {
                context.world(|world| serve(world, before));
            }
            let of = view.kept();
            let kept = revisions::keep::<V::Compiled>(context, &of.object, &of.revisions, &valid.state).await;
            (view.ingredients().served(*valid, kept.is_ok()), kept)
        }
    };
    context.world(|world| serve(world, served.clone()));
    Ok((served, kept))
}

/// Makes what serves, and keeps it in memory alone.
pub async fn make<V: CatalogueView>(
    context: &ControllerContext,
    item: &WorkItem,
    view: &Arc<V>,
    serve: impl Fn(&mut World, Served<V::Compiled>),
) -> Result<(), ReconcileFailure> {
    let from = Arc::clone(view);
    let (made, _) = context.lanes.run(item, move || compile(&*from)).await?;
    let served = match made {
        Made::Last(served) => served,
        Made::Present(valid) => view.ingredients().served(*valid, false),
    };
    context.world(|world| {
        // Who works meanwhile makes it anew, and keeps it.
        if context.candidacy.leadership().part() == Some(LeadershipPart::StandsBy) {
            serve(world, served);
        }
    });
    Ok(())
}

/// What can serve. And what served when the operator was last there, where the object was edited since.
fn compile<V: CatalogueView>(view: &V) -> (Made<V::Compiled>, Option<Served<V::Compiled>>) {
    let ingredients = view.ingredients();
    let made = ingredients.make(view.present());
    let before = match &made {
        Made::Present(valid) if view.kept().served.is_none() => ingredients.kept_before(&valid.hash),
        Made::Present(_) | Made::Last(_) => None,
    };
    (made, before)
}
