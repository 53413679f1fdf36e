//! The admission webhook: what the controller would reject is refused when it is applied, in the same words.
//!
//! It is comfort, not safety: the controller decides about whatever passes by it. So it is registered with
//! `failurePolicy: Ignore`, and lets pass what it cannot judge.
//!
//! | file | what it knows |
//! |---|---|
//! | `options` | where it listens, and how the API server reaches it |
//! | `registration` | the ValidatingWebhookConfiguration by which the API server knows the webhook |
//! | `keeper` | keeps that and the certificate's Secret as they should be |
//! | `pass` | the path that only the API server is told |
//! | `server` | HTTPS |
//! | `budget` | how many reviews are under way, and how large they are |
//! | `desk` | a request, from the first line to the answer |
//! | `review` | the API server's question and the answer, as bytes |
//! | `judge` | asks [`crate::evaluation::admission`] |
//! | `named` | the objects that a request names, as they are stored now |
//! | `reviewers` | the threads on which that is thought about |

mod budget;
mod desk;
mod judge;
mod keeper;
mod named;
mod options;
mod pass;
mod registration;
mod review;
mod reviewers;
mod server;

pub use crate::server::certificate::{ClientAuthorities, Unusable};
pub use options::{BaseUrl, InvalidUrl, Options, Reachability};

use crate::controller::Knowledge;
use desk::Responder;
use judge::AdmissionJudge;
use keeper::Keeper;
use kube::Client;
use pass::Passes;
use tokio::sync::watch;

/// Runs the webhook until `shutdown` is ready, then answers what has been asked. Nothing that fails in it ends it: it says
/// so in the log, and tries again.
pub async fn run(client: Client, knowledge: Knowledge, options: Options, shutdown: impl Future<Output = ()>) {
    let (sender, certificates) = watch::channel(None);
    let address = options.address;
    let (passes, demands_certificate) = (Passes::default(), options.client_authorities.is_some());
    let judge = AdmissionJudge::new(client.clone(), knowledge.clone(), options.allows_missing);
    let desk = Responder::new(judge, passes.clone(), demands_certificate);
    let keeper = Keeper::new(client, options, passes, sender, knowledge);
    tokio::select! {
        () = keeper.run() => {}
        () = server::run(address, certificates, desk, shutdown) => {}
    }
}
