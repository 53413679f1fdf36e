//! The command `entitlement-operator`.
fn main() {
    for (name, text) in entitlement_operator::api::crd::manifests().unwrap_or_default() {
        eprintln!("{name}");
        println!("---\n{text}");
    }
}
