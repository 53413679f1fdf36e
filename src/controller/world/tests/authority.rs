use super::{organization, organizations, two_organizations};
use crate::{controller::world::World, core::authority::ApiAuthority};
use kube::runtime::watcher::Event;
use std::collections::BTreeSet;

fn told(world: &World, organization: &str) -> ApiAuthority {
    world.view(&organization.into()).unwrap().snapshot.authority
}

#[test]
fn who_asks_for_the_authority_of_the_api_is_touched_when_it_is_another() {
    let mut world = two_organizations();
    let mut acme = organization("acme", &["one"], 2);
    if let Ok(organization) = &mut acme.0 {
        organization.spec.summary.ca = true;
    }
    world.observe_organization(Event::Apply(acme));
    world.take_work();
    assert_eq!(told(&world, "acme"), ApiAuthority::Absent);
    let known = ApiAuthority::Known("one".into());
    for authority in [ApiAuthority::Untold, known.clone()] {
        world.learn_authority(authority.clone());
        assert_eq!(world.take_work(), organizations(&["acme"]));
        assert_eq!((told(&world, "acme"), told(&world, "globex")), (authority, ApiAuthority::Absent));
    }
    world.learn_authority(known);
    assert_eq!(world.take_work(), BTreeSet::new());
}
