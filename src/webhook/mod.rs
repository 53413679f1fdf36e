//! The admission webhook: what the controller would reject is refused when it is applied, in the same words.
//!
//! It is comfort, not safety: whatever passes by it, the controller decides. So it is registered with
//! `failurePolicy: Ignore`, and answers what it cannot judge with a yes.
//!
//! | file | what it knows |
//! |---|---|
//! | `options` | where it listens, and how the API server reaches it |
//! | `certificate` | a certificate and the authority that the API server trusts for it |
//! | `storage` | the Secret that keeps both, so that all replicas have the same |
//! | `registration` | the ValidatingWebhookConfiguration by which the API server knows of it |
//! | `keeper` | keeps both of these as they should be |
//! | `server` | HTTPS |
//! | `review` | the API server's question and the answer, as bytes |
//! | `judge` | asks [`crate::evaluation::admission`] |
//! | `named` | what a request names, as it is stored now |

mod certificate;
mod judge;
mod keeper;
mod named;
mod options;
mod registration;
mod review;
mod server;
mod storage;

pub use options::{BaseUrl, InvalidUrl, Options, Reach};

use crate::controller::Knowledge;
use judge::Judge;
use keeper::Keeper;
use kube::Client;
use tokio::sync::watch;

/// Runs the webhook until `shutdown` is ready, then answers what has been asked. Nothing that fails in it ends it: it says
/// so in the log, and tries again.
pub async fn run(client: Client, knowledge: Knowledge, options: Options, shutdown: impl Future<Output = ()>) {
    let (sender, certificates) = watch::channel(None);
    let address = options.address;
    let judge = Judge::new(client.clone(), knowledge, options.allows_missing);
    let keeper = Keeper::new(client, options, sender);
    tokio::select! {
        () = keeper.run() => {}
        () = server::run(address, certificates, judge, shutdown) => {}
    }
}
