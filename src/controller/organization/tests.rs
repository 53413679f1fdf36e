//! One organization, in the shell.

use super::reconcile;
use crate::{
    api::entitlement_definition::OutputKind,
    controller::{
        context::ControllerContext,
        failure::ReconcileFailure,
        world::{
            WorkItem,
            tests::{finish_lists, organization},
        },
    },
    evaluation::object::ObjectKey,
};
use kube::runtime::watcher::Event;
use std::time::Duration;
use tokio::time::{advance, timeout};

#[tokio::test(start_paused = true)]
async fn what_stood_in_the_way_of_a_gone_organization_is_not_looked_at_any_more() {
    let context = ControllerContext::unconnected();
    context.world(|world| {
        finish_lists(world);
        world.observe_organization(Event::Apply(organization("acme", &["one"], 1)));
        let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "one".into(), name: "config".into() };
        world.found_foreign(&"acme".into(), key);
    });
    advance(Duration::from_mins(1)).await;
    context.world(|world| world.observe_organization(Event::Delete(organization("acme", &["one"], 2))));
    let mut rounds = 0;
    while let Ok(item) = timeout(Duration::from_mins(10), context.queue.next()).await {
        rounds += 1;
        assert!(rounds < 10, "it is worked on for ever");
        assert_eq!(item, WorkItem::Organization("acme".into()));
        // What waits until it is quiet queues itself again.
        let result = reconcile(&context, &"acme".into()).await;
        assert!(matches!(result, Ok(()) | Err(ReconcileFailure::PutOff)), "{result:?}");
        context.queue.done(&item);
    }
    assert!(rounds > 0);
}
