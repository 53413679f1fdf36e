//! Reports outputs that somebody else has changed or deleted, and that are put back.

use super::{announcements, context::ControllerContext, events};
use crate::{
    api::{EntitlementInstance, Organization},
    evaluation::{
        object::{Attribution, ObjectContent, ObjectKey},
        plan::{Meddling, Owner},
    },
};

/// Tells of an object that is put back as `written`: on the grant that it is for or, of a summary, on the organization.
pub fn tell(context: &ControllerContext, owner: &Owner, key: &ObjectKey, written: &ObjectContent, meddling: Meddling) {
    let about = match Attribution::source_in(&written.annotations) {
        Some(id) => {
            let Some(uid) = context.world(|world| world.uid_of(&id)) else { return };
            events::reference::<EntitlementInstance>(Some(&id.namespace), &id.name, &uid)
        }
        None => events::reference::<Organization>(None, owner.name(), owner.uid()),
    };
    tracing::debug!(organization = %owner.name(), object = %key, "what somebody else did to an output is put back");
    if context.world(|world| world.tells_of_output(key)) {
        context.announcer.announce(about, announcements::of_put_back(key, meddling));
    }
}
