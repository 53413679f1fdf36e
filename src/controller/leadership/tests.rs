//! Who works among replicas and operators, and from when on.

use super::{MARK, OthersTurn, Tale, Tenure, among_operators, follow, lead};
use crate::{
    connection::{BootTime, Fence},
    controller::{
        context::ControllerContext,
        world::tests::{finish_lists, organization},
    },
};
use kube::{Client, client::Body, runtime::watcher::Event};
use serde_json::json;
use std::{convert::Infallible, future, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

fn tenure(context: &ControllerContext, number: u64, turn: u64) -> Tenure {
    let (fence, now) = (Arc::new(Fence::until(BootTime::MAX)), Instant::now());
    Tenure::new(number, fence, context.gate.reader(), OthersTurn { number: turn, ended: now }, now)
}

#[tokio::test(start_paused = true)]
async fn whoever_worked_before_is_waited_for_without_the_namespace_of_grants_too() {
    let list = json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": [],
    });
    let answer = move |_: http::Request<Body>| {
        future::ready(Ok::<_, Infallible>(http::Response::new(Body::from(list.to_string().into_bytes()))))
    };
    let context = ControllerContext::read_by(Client::new(tower::service_fn(answer), "default"));
    let mark = json!({"namespace": context.options.namespace}).to_string();
    let namespace = json!({"metadata": {"name": "entitlements", "resourceVersion": "1", "annotations": {MARK: mark}}});
    let namespace = || serde_json::from_value(namespace.clone()).unwrap();
    context.candidacy.observe(&Event::Apply(namespace()));
    context.candidacy.observe(&Event::Delete(namespace()));
    let wait = Duration::from_secs(15);
    let (fence, now) = (Arc::new(Fence::until(BootTime::MAX)), Instant::now());
    let turn = OthersTurn { number: 1, ended: now };
    let (tenure, mut tale) = (Tenure::new(1, fence, context.gate.reader(), turn, now + wait), Tale::default());
    let mut among = pin!(among_operators(&context, &tenure, &mut tale));
    assert!(timeout(wait * 14 / 15, &mut among).await.is_err());
    assert!(!context.candidacy.leadership().leads());
    assert!(timeout(Duration::from_secs(2), &mut among).await.is_err());
    assert!(context.candidacy.leadership().leads());
}

#[tokio::test]
async fn what_was_found_out_before_others_worked_counts_no_more_whichever_tenure_is_the_first_to_work() {
    let context = ControllerContext::unconnected();
    context.world(|world| {
        finish_lists(world);
        world.observe_organization(Event::Apply(organization("acme", &["one"], 1)));
    });
    let view = || context.world(|world| world.view(&"acme".into())).ok().unwrap();
    let mut tale = Tale::default();
    lead(&context, &tenure(&context, 1, 1), &mut tale);
    assert!(view().is_unsearched);
    let owner = view().owner.unwrap();
    context.world(|world| world.searched(&owner));
    // It was late, and nobody else has worked.
    lead(&context, &tenure(&context, 2, 1), &mut tale);
    assert!(!view().is_unsearched);
    // After others have worked, the third tenure was over before it worked.
    lead(&context, &tenure(&context, 4, 2), &mut tale);
    assert!(view().is_unsearched);
    // So does what the operator of another namespace has done.
    context.world(|world| world.searched(&owner));
    follow(&context.candidacy, Some("billing".to_owned()), "entitlement-operator", &mut tale);
    lead(&context, &tenure(&context, 4, 2), &mut tale);
    assert!(view().is_unsearched);
}
