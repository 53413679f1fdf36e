//! Who is connected, and who makes room.
//!
//! Nobody is known when a connection is accepted. The first request that proves to come from the API server makes its
//! connection one that may stay. Any other has to be through within a short time. If there are too many of these, the oldest
//! one of the address that has most of them makes room. So the API server, which is through within milliseconds, always gets
//! in.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// How long a connection may be there that nobody knows, all that it asks included.
pub const LIFETIME: Duration = Duration::from_secs(10);
/// The fewest, where files are scarce.
const FEWEST: usize = 16;

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections that nobody knows.
    pub unknown: usize,
    /// Connections of callers that have proved who they are, such as the API server.
    pub known: usize,
    /// Those of one such caller.
    pub of_one: usize,
}

impl ConnectionLimits {
    /// At most so many, a quarter of them unknown. A process that may have so many files open (None: as many as it likes) keeps half
    /// of them for everything else, such as its own connections to the API server, and each of its two servers has a quarter.
    #[must_use]
    pub fn of_files(files: Option<u64>, most: usize) -> Self {
        let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
        let all = (files / 4).clamp(FEWEST, most);
        let unknown = (all / 2).min(most / 4);
        let known = all - unknown;
        Self { unknown, known, of_one: known }
    }

    /// At most so many, and what follows from the process's own limit of open files.
    #[must_use]
    pub fn of_process(most: usize) -> Self {
        Self::of_files(getrlimit(Resource::Nofile).current, most)
    }
}

/// Lets the process have as many files open as it may give itself, as programs in Go do: container runtimes start it with 1,024
/// (containerd 2.0 took its own limit away), which is for programs that use `select`.
pub fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// The connections.
pub struct Connections {
    limits: ConnectionLimits,
    state: Mutex<ConnectionsState>,
}

#[derive(Default)]
struct ConnectionsState {
    next: u64,
    /// Those that nobody knows, the oldest first.
    unknown: BTreeMap<u64, Unknown>,
    /// Whose the others are.
    known: HashMap<u64, Arc<str>>,
}

struct Unknown {
    peer: IpAddr,
    leave: Arc<Notify>,
}

/// The place of one connection, until it is dropped.
pub struct ConnectionPlace {
    connections: Arc<Connections>,
    number: u64,
    network: IpAddr,
    until: Instant,
    leave: Arc<Notify>,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, ConnectionsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new one; another may have to leave.
    #[must_use]
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> ConnectionPlace {
        let mut state = self.state();
        if state.unknown.len() >= self.limits.unknown
            && let Some(unknown) = state.next_to_leave().and_then(|number| state.unknown.remove(&number))
        {
            unknown.leave.notify_one();
        }
        let number = state.next;
        state.next += 1;
        let leave = Arc::new(Notify::new());
        let network = network(address);
        state.unknown.insert(number, Unknown { peer: network, leave: Arc::clone(&leave) });
        ConnectionPlace { connections: Arc::clone(self), number, network, until: Instant::now() + LIFETIME, leave }
    }
}

impl ConnectionsState {
    fn next_to_leave(&self) -> Option<u64> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for unknown in self.unknown.values() {
            *counts.entry(unknown.peer).or_default() += 1;
        }
        let most = counts.values().max().copied()?;
        let oldest = self.unknown.iter().find(|(_, unknown)| counts.get(&unknown.peer) == Some(&most));
        oldest.map(|(number, _)| *number)
    }
}

impl ConnectionPlace {
    /// The network that it comes from: an IPv4 address, or the first half of an IPv6 address.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// It is of a caller that has proved who it is, and may stay. False if it has to end with this request, as too many stay already,
    /// of that one or in all, or had to leave just now.
    #[must_use]
    pub fn stay(&self, caller: &str) -> bool {
        let (limits, mut state) = (self.connections.limits, self.connections.state());
        if state.known.contains_key(&self.number) {
            return true;
        }
        let of_caller = || state.known.values().filter(|of| ***of == *caller).count();
        if state.known.len() >= limits.known || of_caller() >= limits.of_one {
            return false;
        }
        if state.unknown.remove(&self.number).is_none() {
            return false;
        }
        state.known.insert(self.number, caller.into());
        true
    }

    fn is_known(&self) -> bool {
        self.connections.state().known.contains_key(&self.number)
    }

    /// Waits until it has to leave.
    pub async fn leave(&self) {
        tokio::select! {
            () = self.leave.notified() => return,
            () = sleep_until(self.until) => {}
        }
        if self.is_known() {
            self.leave.notified().await;
        }
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.unknown.remove(&self.number);
        state.known.remove(&self.number);
    }
}

/// Whoever has one address of a network of IPv6 has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [first, second, third, fourth, ..] = address.segments();
            IpAddr::from([first, second, third, fourth, 0, 0, 0, 0])
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionLimits, ConnectionPlace, Connections, LIFETIME};
    use rstest::rstest;
    use std::{net::IpAddr, sync::Arc, time::Duration};
    use tokio::time::{Instant, timeout};

    const TWO: ConnectionLimits = ConnectionLimits { unknown: 2, known: 1, of_one: 1 };

    fn enter(connections: &Arc<Connections>, address: &str) -> ConnectionPlace {
        connections.enter(address.parse::<IpAddr>().unwrap())
    }

    async fn has_to_leave(place: &ConnectionPlace) -> bool {
        timeout(Duration::ZERO, place.leave()).await.is_ok()
    }

    #[rstest]
    #[case(None, 128, 384)]
    #[case(Some(1 << 20), 128, 384)]
    #[case(Some(2048), 128, 384)]
    #[case(Some(1024), 128, 128)]
    #[case(Some(256), 32, 32)]
    #[case(Some(0), 8, 8)]
    fn half_of_the_files_are_for_others(#[case] files: Option<u64>, #[case] unknown: usize, #[case] known: usize) {
        let limits = ConnectionLimits::of_files(files, 512);
        assert_eq!(limits, ConnectionLimits { unknown, known, of_one: known });
    }

    #[test]
    fn as_many_files_as_may_be_are_allowed() {
        super::allow_files();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[tokio::test]
    async fn one_caller_does_not_have_all() {
        let connections = Connections::new(ConnectionLimits { unknown: 8, known: 3, of_one: 2 });
        let places: Vec<ConnectionPlace> =
            ["192.0.2.1"; 5].iter().map(|address| enter(&connections, address)).collect();
        assert!(places[0].stay("a") && places[1].stay("a") && !places[2].stay("a"));
        assert!(places[2].stay("b") && !places[3].stay("c"));
        // Whose it is has been told once.
        assert!(places[0].stay("b"));
        drop(places);
        assert!(enter(&connections, "192.0.2.1").stay("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_of_whoever_has_most_makes_room() {
        let connections = Connections::new(ConnectionLimits { unknown: 4, ..TWO });
        let quiet = enter(&connections, "192.0.2.1");
        let loud: Vec<ConnectionPlace> = ["192.0.2.2"; 3].iter().map(|address| enter(&connections, address)).collect();
        let new = enter(&connections, "192.0.2.3");
        assert!(has_to_leave(&loud[0]).await);
        for place in [&quiet, &loud[1], &loud[2], &new] {
            assert!(!has_to_leave(place).await);
        }
        drop(loud);
        let _more = [enter(&connections, "192.0.2.4"), enter(&connections, "192.0.2.5")];
        assert!(!has_to_leave(&quiet).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_counts_as_one() {
        let connections = Connections::new(ConnectionLimits { unknown: 3, ..TWO });
        let quiet = enter(&connections, "2001:db8:0:1::1");
        let loud = [enter(&connections, "2001:db8:0:2::1"), enter(&connections, "2001:db8:0:2:ffff::2")];
        let _new = enter(&connections, "::ffff:192.0.2.1");
        assert!(has_to_leave(&loud[0]).await);
        assert!(!has_to_leave(&quiet).await && !has_to_leave(&loud[1]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn whom_nobody_knows_leaves_after_a_while_and_the_api_server_stays() {
        let connections = Connections::new(TWO);
        let (unknown, known) = (enter(&connections, "192.0.2.1"), enter(&connections, "192.0.2.1"));
        assert!(known.stay("api-server") && known.stay("api-server"));
        let before = Instant::now();
        unknown.leave().await;
        assert_eq!(before.elapsed(), LIFETIME);
        assert!(timeout(Duration::from_hours(1), known.leave()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_stay() {
        let connections = Connections::new(TWO);
        let first = enter(&connections, "192.0.2.1");
        let second = enter(&connections, "192.0.2.1");
        assert!(first.stay("api-server") && !second.stay("api-server"));
        drop(first);
        assert!(second.stay("api-server"));
        // One that had to leave does not come back.
        let places: Vec<ConnectionPlace> =
            ["192.0.2.2"; 3].iter().map(|address| enter(&connections, address)).collect();
        drop(second);
        assert!(!places[0].stay("api-server") && places[1].stay("api-server"));
    }
}
