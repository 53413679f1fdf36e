//! Certificates: made, used again, replaced in time, mended, and agreed upon.

use super::{AuthorityKeeping, CertificateSecret, SecretPlan, Why};
use crate::{
    core::calendar::{Instant, parse_instant},
    server::certificate::{Authority, Certificate, CertificateHolder},
};
use chrono::TimeDelta;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use rstest::rstest;
use rustls::pki_types::{CertificateDer, pem::PemObject};

const NAME: &str = "operator-webhook";
const HOST: &str = "webhook.operator.svc";

fn day(number: i64) -> Instant {
    parse_instant("2026-01-01T00:00:00Z").unwrap() + TimeDelta::days(number)
}

fn holder(host: &str) -> CertificateHolder {
    CertificateHolder { name: "a webhook", hosts: vec![host.to_owned()] }
}

fn issue(host: &str, now: Instant) -> Certificate {
    Certificate::issue(&holder(host), None, now).unwrap()
}

/// Of a webhook, for that host.
fn kept(host: &str) -> CertificateSecret {
    CertificateSecret {
        name: NAME,
        namespace: "operator".to_owned(),
        annotation: "entitlements.dev/webhook-host",
        user: "the webhook",
        holder: holder(host),
        authority: AuthorityKeeping::Forgotten,
    }
}

/// Of the API, for those hosts.
fn lasting(hosts: &[&str]) -> CertificateSecret {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let holder = CertificateHolder { name: "an API", hosts };
    CertificateSecret { holder, authority: AuthorityKeeping::Kept, ..kept(HOST) }
}

/// One object of an API server.
struct Server {
    kept: CertificateSecret,
    stored: Option<Secret>,
    version: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self { kept: kept(HOST), stored: None, version: 0 }
    }
}

impl Server {
    fn of(kept: CertificateSecret) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Creates or replaces as the API server would: false where another was faster.
    fn write(&mut self, mut secret: Secret) -> bool {
        let known = self.stored.as_ref().and_then(|stored| stored.metadata.resource_version.clone());
        if secret.metadata.resource_version != known {
            return false;
        }
        self.version += 1;
        secret.metadata.resource_version = Some(self.version.to_string());
        secret.metadata.uid = Some("u".to_owned());
        self.stored = Some(secret);
        true
    }

    /// What a replica is to do that sees it at that moment.
    fn plan(&self, now: Instant) -> SecretPlan {
        self.kept.plan(self.stored.as_ref(), now).unwrap()
    }

    fn keep(&mut self, now: Instant) -> Why {
        let SecretPlan::Write(draft) = self.plan(now) else { panic!("nothing to write") };
        assert!(self.write(draft.secret));
        draft.why
    }

    fn used(&self, now: Instant) -> Certificate {
        match self.plan(now) {
            SecretPlan::Use(certificate) => certificate,
            other => panic!("{other:?}"),
        }
    }

    fn data(&mut self) -> &mut std::collections::BTreeMap<String, ByteString> {
        self.stored.as_mut().unwrap().data.as_mut().unwrap()
    }
}

fn authorities(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(&certificate.authorities).collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_certificate_is_made_once_and_used_from_then_on() {
    let mut server = Server::default();
    assert_eq!(server.keep(day(0)), Why::Absent);
    let stored = server.stored.clone().unwrap();
    assert_eq!((stored.metadata.name.as_deref(), stored.metadata.namespace.as_deref()), (Some(NAME), Some("operator")));
    assert_eq!(stored.type_.as_deref(), Some("kubernetes.io/tls"));
    assert_eq!(stored.data.unwrap().keys().collect::<Vec<_>>(), ["ca.crt", "tls.crt", "tls.key"]);
    assert_eq!(server.used(day(0)), server.used(day(59)));
    assert_eq!(authorities(&server.used(day(0))).len(), 1);
}

#[rstest]
#[case("webhook.operator.svc", "other.operator.svc")]
#[case("127.0.0.1", "127.0.0.2")]
#[case("::1", "::2")]
fn it_is_for_one_host(#[case] host: &str, #[case] other: &str) {
    let certificate = issue(host, day(0));
    certificate.check(host, day(0)).unwrap();
    certificate.check(other, day(0)).unwrap_err();
}

#[test]
fn its_end_is_known() {
    let made = day(0) + TimeDelta::milliseconds(700);
    let certificate = issue(HOST, made);
    assert_eq!(certificate.valid_until(HOST, made).unwrap().timestamp(), day(90).timestamp());
    assert_eq!(certificate.ends().unwrap().timestamp(), day(90).timestamp());
    assert_eq!(certificate.valid_until(HOST, day(90)), Some(day(90)));
    assert_eq!(certificate.valid_until(HOST, day(91)), None);
    assert_eq!(certificate.valid_until("other.operator.svc", made), None);
}

#[test]
fn it_is_valid_for_ninety_days_and_due_after_sixty() {
    let certificate = issue(HOST, day(0) + TimeDelta::milliseconds(700));
    for (moment, is_valid, is_due) in [
        (day(0) - TimeDelta::hours(1), true, false),
        (day(0) - TimeDelta::hours(1) - TimeDelta::seconds(1), false, false),
        (day(60), true, false),
        // In whole seconds, whatever the clock has besides.
        (day(60) + TimeDelta::milliseconds(999), true, false),
        (day(60) + TimeDelta::seconds(1), true, true),
        (day(90), true, true),
        (day(90) + TimeDelta::seconds(1), false, true),
    ] {
        assert_eq!(certificate.check(HOST, moment).is_ok(), is_valid, "valid at {moment}");
        assert_eq!(certificate.is_due(HOST, moment), is_due, "due at {moment}");
    }
}

#[test]
fn it_is_replaced_in_time_and_the_authority_before_it_stays_trusted() {
    let mut server = Server::default();
    server.keep(day(0));
    let first = server.used(day(0));
    let SecretPlan::Write(draft) = server.plan(day(61)) else { panic!() };
    assert_eq!((draft.why.clone(), draft.present.as_ref()), (Why::Due, Some(&first)));
    assert!(server.write(draft.secret));
    let second = server.used(day(61));
    assert_eq!(authorities(&second)[1..], authorities(&first));
    second.check(HOST, day(61) + TimeDelta::days(90)).unwrap();
    // Both are accepted by whoever trusts the newer authorities.
    let during = Certificate { authorities: second.authorities.clone(), ..first };
    during.check(HOST, day(61)).unwrap();
    server.keep(day(122));
    let third = server.used(day(122));
    assert_eq!(authorities(&third)[1..], authorities(&second)[..1]);
}

#[rstest]
#[case::certificate("tls.crt", Some("garbage"), "tls.crt cannot be read")]
#[case::key("tls.key", Some("garbage"), "tls.key cannot be read")]
#[case::no_key("tls.key", None, "tls.key cannot be read")]
#[case::no_authority("ca.crt", None, "ca.crt cannot be read")]
fn one_that_is_damaged_is_replaced(#[case] key: &str, #[case] value: Option<&str>, #[case] problem: &str) {
    let mut server = Server::default();
    server.keep(day(0));
    server.data().remove(key);
    if let Some(value) = value {
        server.data().insert(key.to_owned(), ByteString(value.as_bytes().to_vec()));
    }
    let why = server.keep(day(1));
    assert_eq!(why.to_string(), format!("the present one is of no use: {problem}"));
    server.used(day(1));
}

#[test]
fn one_whose_parts_do_not_belong_together_is_replaced() {
    let other = issue(HOST, day(0));
    for (key, value) in [("tls.key", other.key.expose_secret().clone()), ("ca.crt", other.authorities.clone())] {
        let mut server = Server::default();
        server.keep(day(0));
        server.data().insert(key.to_owned(), ByteString(value));
        assert!(matches!(server.keep(day(1)), Why::Unusable(_)), "{key}");
        server.used(day(1));
    }
}

#[test]
fn one_for_another_host_is_replaced() {
    let mut server = Server::default();
    server.keep(day(0));
    let SecretPlan::Write(draft) = kept("127.0.0.1").plan(server.stored.as_ref(), day(1)).unwrap() else { panic!() };
    assert!(matches!(draft.why, Why::Unusable(_)), "{}", draft.why);
}

#[test]
fn one_of_someone_else_is_used_as_it_is_and_never_changed() {
    let mut server = Server::default();
    server.keep(day(0));
    server.stored.as_mut().unwrap().metadata.annotations = None;
    server.used(day(70));
    assert!(matches!(server.plan(day(91)), SecretPlan::Leave(_)));
}

#[test]
fn the_type_of_a_secret_cannot_be_changed_and_is_kept() {
    let mut server = Server::default();
    server.keep(day(0));
    server.stored.as_mut().unwrap().type_ = Some("Opaque".to_owned());
    server.keep(day(61));
    assert_eq!(server.stored.unwrap().type_.as_deref(), Some("Opaque"));
}

#[rstest]
#[case::at_first(None, day(0))]
#[case::when_it_is_due(Some(day(0)), day(61))]
fn replicas_that_write_at_once_agree_on_one(#[case] made: Option<Instant>, #[case] now: Instant) {
    let mut server = Server::default();
    if let Some(made) = made {
        server.keep(made);
    }
    let (SecretPlan::Write(one), SecretPlan::Write(other)) = (server.plan(now), server.plan(now)) else { panic!() };
    assert!(server.write(one.secret));
    assert!(!server.write(other.secret), "the second one must notice");
    let agreed = server.used(now);
    assert_eq!(agreed.chain, server.data()["tls.crt"].0);
}

#[test]
fn the_key_is_never_printed() {
    let certificate = issue(HOST, day(0));
    assert!(format!("{certificate:?}").contains("Secret(redacted)"));
    assert!(!format!("{certificate:?}").contains("PRIVATE KEY"));
}

#[test]
fn a_host_that_no_certificate_can_have_is_named() {
    let error = Certificate::issue(&holder("ünder"), None, day(0)).unwrap_err();
    assert!(error.to_string().starts_with("a certificate for ünder cannot be made: "), "{error}");
}

const NAMES: [&str; 3] = ["api.operator.svc", "api.operator.svc.cluster.local", "localhost"];

#[test]
fn an_authority_that_is_kept_signs_the_next_certificate_too() {
    let mut server = Server::of(lasting(&NAMES));
    assert_eq!(server.keep(day(0)), Why::Absent);
    assert_eq!(server.data().keys().collect::<Vec<_>>(), ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
    let first = server.used(day(59));
    for host in NAMES {
        first.check(host, day(0)).unwrap();
    }
    first.check("other.operator.svc", day(0)).unwrap_err();
    let key = server.data()["ca.key"].clone();
    assert_eq!(server.keep(day(61)), Why::Due);
    let second = server.used(day(61));
    assert_ne!(second.chain, first.chain);
    assert_eq!((&second.authorities, &server.data()["ca.key"]), (&first.authorities, &key));
    // Whoever was told of it once trusts what it signs years later.
    let mut now = day(61);
    for _ in 0..57 {
        now += TimeDelta::days(61);
        assert_eq!(server.keep(now), Why::Due);
        assert_eq!(server.used(now).authorities, first.authorities, "at {now}");
    }
    // It cannot sign what outlives it.
    now += TimeDelta::days(61);
    assert_eq!(server.keep(now), Why::Due);
    assert_eq!(now, day(3599));
    assert_eq!(authorities(&server.used(now))[1..], authorities(&first));
}

#[test]
fn an_authority_signs_for_its_own_hosts_alone() {
    let mut server = Server::of(lasting(&NAMES));
    server.keep(day(0));
    let first = server.used(day(0));
    // By whoever has read its key.
    let (certificate, key) = (server.data()["ca.crt"].0.clone(), server.data()["ca.key"].0.clone());
    let stolen = Authority::read(certificate, key).unwrap();
    for (host, is_trusted) in [("localhost", true), ("api.operator.svc", true), ("kubernetes.default.svc", false)] {
        let holder = CertificateHolder { name: "an API", hosts: vec![host.to_owned()] };
        let signed = stolen.sign(&holder, day(0)).unwrap();
        assert_eq!(signed.check(host, day(0)).is_ok(), is_trusted, "{host}");
    }
    // For another host there is another authority, and the one before stays trusted.
    server.kept = lasting(&["api.operator.svc", "api.other.svc"]);
    assert!(matches!(server.keep(day(1)), Why::Unusable(_)));
    assert_eq!(authorities(&server.used(day(1)))[1..], authorities(&first));
}

#[rstest]
#[case::garbage(Some("garbage"))]
#[case::none(None)]
fn where_the_key_of_the_authority_is_lost_there_is_another(#[case] key: Option<&str>) {
    let mut server = Server::of(lasting(&NAMES));
    server.keep(day(0));
    let first = server.used(day(0));
    server.data().remove("ca.key");
    if let Some(key) = key {
        server.data().insert("ca.key".to_owned(), ByteString(key.as_bytes().to_vec()));
    }
    // What it has signed serves until then.
    assert_eq!(server.used(day(1)), first);
    server.keep(day(61));
    assert_eq!(authorities(&server.used(day(61)))[1..], authorities(&first));
}
