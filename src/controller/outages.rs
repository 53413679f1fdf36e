//! What cannot be watched, reported once for everything concerned, and no more than once a minute.

use crate::connection::Cause;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// What fails together is told together.
const GATHERING: Duration = Duration::from_secs(1);
/// What lasts is told again after this time.
const INTERVAL: Duration = Duration::from_mins(1);
/// How many a line names.
const MOST_NAMED: usize = 10;
/// What has not failed for so long works again: watches are tried again within five seconds, and nothing says that one goes on.
pub const MENDED_AFTER: Duration = Duration::from_secs(10);
/// The same where a failure takes long to show.
const MENDED_AFTER_SILENCE: Duration = Duration::from_secs(90);

/// What cannot be watched now.
#[derive(Clone, Debug, Default)]
pub struct Outages {
    shared: Arc<KnownOutages>,
}

#[derive(Debug, Default)]
struct KnownOutages {
    known: Mutex<BTreeMap<String, Outage>>,
    /// When the API server could not be reached last.
    unreached: Mutex<Option<Instant>>,
    changed: Notify,
}

#[derive(Clone, Debug)]
struct Outage {
    cause: Cause,
    last: Instant,
}

impl Outage {
    fn is_over(&self, now: Instant) -> bool {
        let patience = if self.cause == Cause::Silent { MENDED_AFTER_SILENCE } else { MENDED_AFTER };
        now.saturating_duration_since(self.last) >= patience
    }
}

impl Outages {
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Outage>> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreached(&self) -> MutexGuard<'_, Option<Instant>> {
        self.shared.unreached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has failed, once more perhaps.
    pub fn failed(&self, what: &str, cause: Cause) {
        tracing::debug!(what, %cause, "a watch fails");
        if cause.is_of_the_server() {
            *self.unreached() = Some(Instant::now());
        }
        self.known().insert(what.to_owned(), Outage { cause, last: Instant::now() });
        self.shared.changed.notify_one();
    }

    /// It works. Whether it did not before.
    pub fn works(&self, what: &str) -> bool {
        let was_out = self.known().remove(what).is_some();
        if was_out {
            self.shared.changed.notify_one();
        }
        was_out
    }

    /// Whether the API server cannot be reached, which is told, so that nothing else that fails for it need be. So it is for a while
    /// once it is back: one that has just started refuses everybody until it has read the roles.
    pub fn is_of_the_server(&self) -> bool {
        let was_just_now = self.unreached().is_some_and(|last| last.elapsed() < MENDED_AFTER);
        was_just_now || self.known().values().any(|outage| outage.cause.is_of_the_server())
    }

    /// Whether any of these kinds cannot be watched. Where that is forbidden in one namespace, what is there does not count any more.
    pub fn is_of(&self, kinds: &[Cow<str>]) -> bool {
        self.known().iter().any(|(what, outage)| {
            let (kind, within) = what.split_once(" in ").map_or((&**what, None), |(kind, within)| (kind, Some(within)));
            let is_told = within.is_some() && matches!(outage.cause, Cause::Forbidden(_));
            !is_told && kinds.iter().any(|one| *one == kind)
        })
    }

    fn drop_over(&self) {
        let now = Instant::now();
        self.known().retain(|_, outage| !outage.is_over(now));
    }

    /// Tells of what there is, for ever; calls `mended` when nothing is out any more.
    pub async fn tell(&self, cluster: &str, restrictions: &str, mended: impl Fn()) {
        loop {
            self.shared.changed.notified().await;
            sleep(GATHERING).await;
            if self.known().is_empty() {
                continue;
            }
            while let Some(told) = self.told(cluster, restrictions) {
                tracing::warn!("{told}");
                let again = Instant::now() + INTERVAL;
                while !self.known().is_empty() && Instant::now() < again {
                    tokio::select! {
                        () = self.shared.changed.notified() => {}
                        () = sleep_until(again.min(Instant::now() + GATHERING)) => {}
                    }
                    self.drop_over();
                }
            }
            tracing::info!("the cluster is watched again");
            mended();
        }
    }

    /// One line about all; None if nothing is out.
    fn told(&self, cluster: &str, restrictions: &str) -> Option<String> {
        let known = self.known();
        let causes: BTreeSet<Cause> = known.values().map(|outage| outage.cause.clone()).collect();
        let server = causes.iter().find(|cause| cause.is_of_the_server());
        if let Some(cause) = server {
            return Some(format!(
                "the API server at {cluster} cannot be asked, and is tried again: {cause}; what was known stays in use"
            ));
        }
        let of = |is: fn(&Cause) -> bool| {
            let of: Vec<&str> =
                known.iter().filter(|(_, outage)| is(&outage.cause)).map(|(what, _)| what.as_str()).collect();
            few(&of)
        };
        let mut line = "not everything can be watched, and is tried again".to_owned();
        let mut add = |names: String, text: &str| {
            if !names.is_empty() {
                let _ = write!(line, "; {names}: {text}");
            }
        };
        add(
            of(|cause| matches!(cause, Cause::NotFound(_))),
            "the API server does not know the kind (entitlement-operator crds | kubectl apply -f -)",
        );
        add(
            of(|cause| matches!(cause, Cause::Forbidden(_))),
            &format!("a right is missing (entitlement-operator manifests{restrictions} | kubectl apply -f -)"),
        );
        for cause in causes.iter().filter(|cause| !matches!(cause, Cause::NotFound(_) | Cause::Forbidden(_))) {
            let names: Vec<&str> =
                known.iter().filter(|(_, outage)| outage.cause == *cause).map(|(what, _)| what.as_str()).collect();
            add(few(&names), &cause.to_string());
        }
        line.push_str("; what was known stays in use");
        (!known.is_empty()).then_some(line)
    }
}

/// What a line names of all that is concerned.
fn few(names: &[&str]) -> String {
    let more = names.len().saturating_sub(MOST_NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", names.get(..MOST_NAMED).unwrap_or(names).join(", "))
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL, MENDED_AFTER, Outages};
    use crate::connection::Cause;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };
    use tokio::time::{advance, timeout};

    const CLUSTER: &str = "https://192.0.2.1:6443";

    #[tokio::test(start_paused = true)]
    async fn what_concerns_all_is_one_line() {
        let outages = Outages::default();
        assert_eq!(outages.told(CLUSTER, ""), None);
        outages.failed("ConfigMap", Cause::Forbidden("no".to_owned()));
        outages.failed("Organization", Cause::NotFound("none".to_owned()));
        outages.failed("Secret", Cause::Forbidden("no".to_owned()));
        outages.failed("Namespace", Cause::Answered("too many requests".to_owned()));
        assert_eq!(
            outages.told(CLUSTER, "").unwrap(),
            "not everything can be watched, and is tried again; Organization: the API server does not know the kind (entitlement-operator crds | kubectl apply -f -); ConfigMap, Secret: a right is missing (entitlement-operator manifests | kubectl apply -f -); Namespace: too many requests; what was known stays in use"
        );
        assert!(!outages.is_of_the_server());
        outages.failed("EntitlementPlan in a", Cause::Forbidden("no".to_owned()));
        let is_of = |kind: &'static str| outages.is_of(&["EntitlementInstance".into(), kind.into()]);
        assert!(is_of("Organization") && !is_of("EntitlementPlan"));
        outages.failed("EntitlementPlan in a", Cause::Answered("too many requests".to_owned()));
        assert!(is_of("EntitlementPlan"));
        assert!(outages.works("EntitlementPlan in a"));
        outages.failed("Namespace", Cause::Refused);
        assert_eq!(
            outages.told(CLUSTER, "").unwrap(),
            "the API server at https://192.0.2.1:6443 cannot be asked, and is tried again: nothing listens there (connection refused); what was known stays in use"
        );
        assert!(outages.is_of_the_server());
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_api_server_refuses_that_has_just_started_is_of_the_server() {
        let outages = Outages::default();
        outages.failed("Secret", Cause::Refused);
        advance(Duration::from_secs(3)).await;
        outages.failed("Secret", Cause::Forbidden("no".to_owned()));
        assert!(outages.is_of_the_server());
        assert!(outages.works("Secret") && outages.is_of_the_server());
        advance(MENDED_AFTER).await;
        outages.failed("Secret", Cause::Forbidden("no".to_owned()));
        assert!(!outages.is_of_the_server());
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_no_more_is_mended() {
        let (outages, mended) = (Outages::default(), AtomicUsize::new(0));
        let tell = async {
            let count = || {
                mended.fetch_add(1, Ordering::Relaxed);
            };
            outages.tell(CLUSTER, "", count).await;
        };
        let happens = async {
            for _ in 0..30 {
                outages.failed("Secret", Cause::Refused);
                advance(Duration::from_secs(4)).await;
            }
            assert_eq!(mended.load(Ordering::Relaxed), 0);
            outages.failed("ConfigMap", Cause::Refused);
            assert!(outages.works("ConfigMap") && !outages.works("ConfigMap"));
            advance(MENDED_AFTER + INTERVAL).await;
            tokio::time::sleep(MENDED_AFTER).await;
            assert_eq!(mended.load(Ordering::Relaxed), 1);
        };
        let both = async {
            tokio::select! {
                () = tell => {}
                () = happens => {}
            }
        };
        assert!(timeout(Duration::from_hours(1), both).await.is_ok());
    }
}
