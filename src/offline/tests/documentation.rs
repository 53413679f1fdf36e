//! Every definition in the documentation is one.

use super::{inventory, now};
use crate::{
    api::{ConditionStatus, EntitlementDefinition, FacetDefinition, conditions::READY},
    offline::{EntitlementKind, Subject},
};
use serde_json::Value;
use std::sync::Arc;

const PAGES: [(&str, &str); 9] = [
    ("README.md", include_str!("../../../README.md")),
    ("docs/catalogue.md", include_str!("../../../docs/catalogue.md")),
    ("docs/lifecycle.md", include_str!("../../../docs/lifecycle.md")),
    ("docs/webhook.md", include_str!("../../../docs/webhook.md")),
    ("docs/catalogue-edits.md", include_str!("../../../docs/catalogue-edits.md")),
    ("docs/more-for-a-while.md", include_str!("../../../docs/more-for-a-while.md")),
    ("docs/service-desk/now/catalogue.yaml", include_str!("../../../docs/service-desk/now/catalogue.yaml")),
    ("docs/service-desk/renewed/catalogue.yaml", include_str!("../../../docs/service-desk/renewed/catalogue.yaml")),
    ("examples/10-catalogue.yaml", include_str!("../../../examples/10-catalogue.yaml")),
];

/// The manifests in the fenced blocks of a page, or in a file of them.
fn manifests(page: &str, text: &str) -> Vec<Value> {
    let is_page = std::path::Path::new(page).extension().is_some_and(|extension| extension == "md");
    let fenced = || text.split("```yaml\n").skip(1).filter_map(|block| block.split("\n```").next()).collect();
    let blocks: Vec<&str> = if is_page { fenced() } else { vec![text] };
    let documents = blocks.into_iter().flat_map(|block| block.split("\n---"));
    documents.map(|document| serde_saphyr::from_str::<Value>(document).unwrap()).collect()
}

#[test]
fn every_definition_in_the_documentation_is_valid() {
    let mut tried = 0;
    for (page, text) in PAGES {
        let mut inventory = inventory();
        let mut definitions: Vec<Arc<str>> = Vec::new();
        for manifest in manifests(page, text) {
            match manifest["kind"].as_str() {
                Some("FacetDefinition") => {
                    inventory.add_facet(serde_json::from_value::<FacetDefinition>(manifest).unwrap());
                }
                Some("EntitlementDefinition") => {
                    let definition: EntitlementDefinition = serde_json::from_value(manifest).unwrap();
                    definitions.push(definition.metadata.name.as_deref().unwrap().into());
                    inventory.add_definition(definition);
                }
                _ => {}
            }
        }
        let survey = inventory.survey(now());
        for name in definitions {
            let subject = Subject::cluster_scoped(EntitlementKind::EntitlementDefinition, &name);
            let ready = survey.statuses[&subject].condition(READY).unwrap();
            assert_eq!(ready.status, ConditionStatus::True, "{page}: {name}: {}", ready.message);
            tried += 1;
        }
    }
    assert!(tried >= 9, "{tried}");
}
