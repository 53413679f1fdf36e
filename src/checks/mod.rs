//! The API that a service asks before it serves: who asks, what they may, and the answers over HTTP.
//!
//! Nothing is decided here but who may ask. What is answered is decided in [`crate::evaluation`], of what is in memory.
//!
//! | file | what it knows |
//! |---|---|
//! | `caller` | who asks, as the API server knows them |
//! | `tokens` | whose token that is, by TokenReview |
//! | `access` | what they may, by SubjectAccessReview |
//! | `reviews` | how many questions to the API server are under way at once |
//! | `turns` | how much whoever asks may have under way at once |
//! | `asked_by` | both together, for one request |
//! | `bodies` | how much of what is sent is held in memory at once |
//! | `desk` | what is answered |
//! | `confirmation` | whether what is in memory can be counted by |
//! | `counting` | uses, on their way to where they are counted |
//! | `uses` | uses over HTTP, by their keys |
//! | `events` | usage as CloudEvents |
//! | `stated` | amounts, moments and channels as callers write them |
//! | `ofrep` | the same as flags of OpenFeature |
//! | `operations` | which operation a request asks for, how long it may take, and what is counted of it |
//! | `openapi` | what the API is described as, for programs that make clients of it |
//! | `routes` | what is asked for by which address |
//! | `problem` | what is answered where there is no answer |
//! | `site` | HTTP and TLS |
//! | `certificates` | the certificate that it serves with, where one is given |
//! | `own_certificate` | the certificate that the operator makes for it, where none is |
//! | `options` | how it is set up |

mod access;
mod asked_by;
mod bodies;
mod caller;
mod certificates;
mod confirmation;
mod counting;
mod desk;
mod events;
mod ofrep;
mod openapi;
mod operations;
mod options;
mod own_certificate;
mod problem;
mod reviews;
mod routes;
mod site;
mod stated;
mod tokens;
mod turns;
mod uses;

pub use {
    certificates::{NoCertificate, read as read_certificate},
    options::{CertificateSource, CheckOptions},
    routes::description,
};

use crate::{
    controller::{Knowledge, clock},
    core::authority::ApiAuthority,
    metering::MeterReader,
    store::StoreAddress,
};
use asked_by::Doorkeeper;
use bodies::BodyRoom;
use certificates::GivenCertificate;
use confirmation::Confirmation;
use desk::CheckDesk;
use kube::Client;
use own_certificate::OwnCertificate;
use routes::CheckSurroundings;
use rustls::ServerConfig;
use site::ApiEncryption;
use std::{future, io, sync::Arc};
use tokio::{net::TcpListener, sync::watch};

/// The API, while it listens and has yet to answer.
pub struct CheckService {
    listener: TcpListener,
    encryption: ApiEncryption,
    /// Where certificates of the operator's own go.
    own: Option<watch::Sender<Option<Arc<ServerConfig>>>>,
    given: Option<GivenCertificate>,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum NotServed {
    /// Nobody can listen there.
    #[error("nothing can listen there: {0}")]
    Address(#[from] io::Error),
    /// Its certificate is of no use.
    #[error(transparent)]
    Certificate(#[from] NoCertificate),
}

impl CheckService {
    /// Listens.
    ///
    /// # Errors
    /// Where that cannot be done, or there is no certificate to serve with.
    pub async fn listen(options: CheckOptions) -> Result<Self, NotServed> {
        let (mut own, mut given) = (None, None);
        let encryption = match options.certificate {
            CertificateSource::None => ApiEncryption::None,
            CertificateSource::Own => {
                let (sender, receiver) = watch::channel(None);
                own = Some(sender);
                ApiEncryption::Tls(receiver)
            }
            CertificateSource::Folder(folder) => {
                let (certificate, config) = read_certificate(&folder)?;
                let (sender, receiver) = watch::channel(Some(config));
                given = Some(GivenCertificate::new(folder, certificate, sender));
                ApiEncryption::Tls(receiver)
            }
        };
        let listener = TcpListener::bind(options.address).await?;
        tracing::info!(address = %listener.local_addr()?, "checks are answered");
        Ok(Self { listener, encryption, own, given })
    }

    /// Lets it be known that there will be an authority, before anything is decided without it.
    pub fn announce(&self, knowledge: &Knowledge) {
        if self.own.is_some() {
            knowledge.learn_authority(ApiAuthority::Untold);
        }
    }

    /// Answers until `shutdown` is ready, as the operator of that namespace.
    pub async fn run(
        self,
        client: Client,
        namespace: &str,
        knowledge: Knowledge,
        store: Option<StoreAddress>,
        shutdown: impl Future<Output = ()>,
    ) {
        let meters = store.map(|address| Arc::new(MeterReader::new(address, knowledge.store_sight(), clock::now())));
        knowledge.metrics().api().answers(self.encryption.is_there());
        let confirmation = Confirmation::default();
        let doorkeeper = Doorkeeper::new(&client, knowledge.clone(), confirmation.clone());
        let confirming = confirmation.clone().keep(client.clone(), knowledge.clone());
        let own = self.own.map(|sender| OwnCertificate::new(client, namespace, sender, &knowledge));
        let (given, metrics) = (self.given, knowledge.metrics().api().clone());
        let keeping = async {
            match (own, given) {
                (Some(own), _) => own.run().await,
                (None, Some(given)) => given.follow(metrics).await,
                (None, None) => future::pending().await,
            }
        };
        let desk = CheckDesk::new(knowledge, meters, confirmation);
        let surroundings = Arc::new(CheckSurroundings { doorkeeper, bodies: BodyRoom::default(), desk });
        tokio::select! {
            () = confirming => {}
            () = keeping => {}
            () = site::run(self.listener, self.encryption, routes::router(surroundings), shutdown) => {}
        }
    }
}
