//! The `OpenFeature` Remote Evaluation Protocol as it is on the wire. Each answer is compared with its specification, by `Asker`.

use crate::{
    asker::{API, Asker, allow},
    usage::support::Desk,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_answer_is_that_of_the_specification() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    let api = operator.api();
    desk.sell().await;
    let name = &desk.cluster.name;
    allow(&desk.cluster, "check", ("kube-system", "backend")).await;
    let backend = Asker::of(&desk, api, ("kube-system", "backend"), "entitlements.dev");
    backend.until(&format!("/v1/organizations/{name}/entitlements/{name}"), |status, body| {
        status == 200 && body["usage"]["state"] == "Ok"
    });
    let tenant = Asker::of(&desk, api, (name, "default"), "entitlements.dev");
    let stranger = Asker::of(&desk, api, ("kube-system", "stranger"), "entitlements.dev");
    let nobody = Asker { api, token: "none".to_owned() };
    let all = "/ofrep/v1/evaluate/flags";
    let (known, unknown) = (format!("{all}/{name}"), format!("{all}/nothing"));
    let context = json!({"context": {"targetingKey": name}}).to_string();
    let without = json!({"context": {"tier": "gold"}}).to_string();

    for (asker, path, body, status) in [
        (&backend, known.as_str(), context.as_str(), 200),
        (&backend, all, &context, 200),
        (&tenant, &known, r#"{"context": {"targetingKey": "somebody-else"}}"#, 200),
        (&tenant, all, "", 200),
        (&backend, &known, &without, 400),
        (&backend, all, &without, 400),
        (&backend, &known, "{", 400),
        (&backend, all, "[]", 400),
        (&nobody, &known, &context, 401),
        (&nobody, all, &context, 401),
        (&stranger, &known, &context, 403),
        (&stranger, all, &context, 403),
        (&backend, &unknown, &context, 404),
        (&tenant, &unknown, "", 404),
    ] {
        let (found, _, answer) = asker.says("POST", path, body);
        assert_eq!(found, status, "{path} {body}: {answer}");
    }

    // Whoever has the same flags already is told so, until they change.
    let tag = |head: &str| head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let (_, head, _) = tenant.says("POST", all, "");
    let first = tag(&head);
    let again = |tag: &str| tenant.sends_with("POST", all, &format!("If-None-Match: {tag}\r\n"), "");
    for kept in [first.clone(), format!("W/{first}"), format!("\"other\", {first}")] {
        let (status, head, body) = again(&kept);
        assert_eq!((status, tag(&head), body.is_null()), (304, first.clone(), true), "{kept}");
    }
    desk.report(10).await;
    desk.counted(10).await;
    tenant.until(&format!("/v1/organizations/{name}/entitlements/{name}"), |_, body| body["allowed"] == false);
    let (status, head, flags) = again(&first);
    assert_eq!(status, 200, "{flags}");
    assert_ne!(tag(&head), first);
    let allowed =
        flags["flags"].as_array().unwrap().iter().find(|flag| flag["key"] == format!("{name}.allowed")).unwrap();
    assert_eq!(allowed["value"], json!(false), "{flags}");
}
