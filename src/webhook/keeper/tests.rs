//! What the keeper makes known, and when it does not write.

use super::{Api, Duration, Keeper, Known, clock, time, watch};
use crate::{
    certificates::SecretPlan,
    connection::FencedClients,
    controller::{
        Controller, ControllerOptions, Leadership,
        leadership::LeadershipState::{self, Leads, StandsBy},
    },
    server::certificate::Certificate,
    webhook::{
        options::{Options, Reachability},
        pass::Passes,
        registration,
    },
};
use http_body_util::BodyExt;
use k8s_openapi::api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret};
use kube::{Client, Config, client::Body};
use rustls::ServerConfig;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;

/// An API server that tells nothing, and takes what is written, each write of a Secret by a permit.
struct Server {
    written: Arc<Mutex<Vec<String>>>,
    permits: Arc<Semaphore>,
    stand: watch::Sender<LeadershipState>,
    certificates: watch::Receiver<Option<Arc<ServerConfig>>>,
}

impl Server {
    /// With a keeper of its own that has served with another certificate.
    fn start(standing: LeadershipState) -> (Self, Keeper) {
        let (stand, leadership) = watch::channel(standing);
        let (give, certificates) = watch::channel(None);
        let server = Self { written: Arc::default(), permits: Arc::new(Semaphore::new(0)), stand, certificates };
        let client = server.client();
        let writers = FencedClients::new(Config::new(http::Uri::from_static("http://127.0.0.1:9")));
        let knowledge = Controller::new(client.clone(), writers, ControllerOptions::default()).knowledge();
        let options = Options::new(Reachability::Service("hook".to_owned()), "operator");
        let before = Certificate::issue(&options.certificate().holder, None, clock::now()).unwrap();
        let mut keeper = Keeper::new(client.clone(), options, Passes::default(), give, knowledge);
        keeper.leadership = Leadership::watching(leadership);
        keeper.secret = keeper.secret.writing(client.clone(), keeper.leadership.clone());
        keeper.writable_registrations = Api::all(client);
        keeper.registration.seen = Known::Seen(None);
        keeper.served = Some(before);
        (server, keeper)
    }

    fn client(&self) -> Client {
        let (written, permits) = (Arc::clone(&self.written), Arc::clone(&self.permits));
        let answer = move |request: http::Request<Body>| {
            let (written, permits) = (Arc::clone(&written), Arc::clone(&permits));
            async move {
                if request.method() == http::Method::GET {
                    return std::future::pending().await;
                }
                let resource = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
                let is_secret = resource == "secrets";
                written.lock().unwrap().push(resource);
                if is_secret {
                    permits.acquire().await.unwrap().forget();
                }
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(http::Response::new(Body::from(body)))
            }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }

    /// Something happens, and it takes a second.
    async fn turns(&self, standing: LeadershipState) {
        self.stand.send_replace(standing);
        time::sleep(Duration::from_secs(1)).await;
    }
}

fn secret(keeper: &Keeper) -> (Secret, Certificate) {
    let planned = |present: Option<&Secret>| keeper.options.certificate().plan(present, clock::now()).unwrap();
    let SecretPlan::Write(draft) = planned(None) else { panic!("there is one") };
    let SecretPlan::Use(certificate) = planned(Some(&draft.secret)) else { panic!("it is of no use") };
    (draft.secret, certificate)
}

const REGISTRATIONS: &str = "validatingwebhookconfigurations";

#[tokio::test(start_paused = true)]
async fn who_begins_to_work_while_a_new_certificate_is_waited_for_makes_it_known() {
    let (server, mut keeper) = Server::start(StandsBy);
    let seen = secret(&keeper).0;
    keeper.secret.see(Ok(Some(seen)));
    let running = tokio::spawn(keeper.run());
    time::sleep(Duration::from_secs(1)).await;
    // It looks, has nothing to write, and waits before it serves.
    server.turns(StandsBy).await;
    server.turns(Leads(1)).await;
    assert_eq!(server.written(), Vec::<String>::new());
    time::sleep(Duration::from_mins(1)).await;
    assert_eq!(server.written(), [REGISTRATIONS]);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn who_works_again_after_a_moment_makes_known_what_it_could_not_then() {
    let (server, mut keeper) = Server::start(StandsBy);
    keeper.secret.see(Ok(None));
    let running = tokio::spawn(keeper.run());
    time::sleep(Duration::from_secs(1)).await;
    server.turns(Leads(1)).await;
    assert_eq!(server.written(), ["secrets"]);
    // It does not work when its certificate is taken, and does again before it serves with it.
    server.turns(StandsBy).await;
    server.permits.add_permits(1);
    time::sleep(Duration::from_secs(1)).await;
    server.turns(Leads(2)).await;
    assert_eq!(server.written(), ["secrets"]);
    time::sleep(Duration::from_mins(1)).await;
    assert_eq!(server.written(), ["secrets", REGISTRATIONS]);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn who_stands_by_serves_with_another_certificate_only_once_the_api_server_trusts_it() {
    let (server, mut keeper) = Server::start(StandsBy);
    let (secret, certificate) = secret(&keeper);
    let register = |authorities: &[u8]| {
        let pass = crate::webhook::pass::Pass::of(&certificate);
        match registration::plan(None, &keeper.options, authorities, &pass) {
            registration::RegistrationPlan::Create(made) => *made,
            other => panic!("{other:?}"),
        }
    };
    let (before, after): (ValidatingWebhookConfiguration, _) =
        (register(b"others"), register(&certificate.authorities));
    keeper.secret.see(Ok(Some(secret)));
    keeper.registration.seen = Known::Seen(Some(before));
    for _ in 0..3 {
        assert!(keeper.keep().await.is_err());
        assert!(server.certificates.borrow().is_none());
    }
    keeper.registration.seen = Known::Seen(Some(after));
    assert!(keeper.keep().await.is_ok());
    assert!(server.certificates.borrow().is_some());
    assert_eq!(server.written(), Vec::<String>::new());
}
