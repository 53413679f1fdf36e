//! The command `entitlement-operator`.
use entitlement_operator::{api, controller, telemetry};
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("run") => {
            telemetry::init(telemetry::LogFormat::Text, &std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into())).unwrap();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let client = entitlement_operator::connection::connect().await.unwrap();
                let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
                controller::run(client, controller::Options::default(), async move { term.recv().await; }).await.unwrap();
            });
        }
        _ => {
            let folder = arguments.iter().position(|one| one == "--output").and_then(|at| arguments.get(at + 1));
            for (name, text) in api::crd::manifests().unwrap_or_default() {
                match folder {
                    Some(folder) => std::fs::write(format!("{folder}/{name}"), text).unwrap(),
                    None => println!("---\n{text}"),
                }
            }
        }
    }
}
