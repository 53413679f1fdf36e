//! A time during which this replica holds the lease.

use crate::connection::Fence;
use kube::Client;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long after another replica has worked its last writes may not have been seen: longer than it takes to notice that a watch has
/// gone silent.
const HEARSAY: Duration = Duration::from_mins(1);

/// Whether this replica holds the lease.
#[derive(Clone)]
pub enum LeaseHold {
    /// Not known yet.
    Unknown,
    /// It does not.
    Lost,
    /// It does.
    Held(Arc<Tenure>),
}

/// A time during which this replica holds the lease, without interruption.
pub struct Tenure {
    /// Which one, of this process.
    pub number: u64,
    /// Lets its writes pass.
    pub fence: Arc<Fence>,
    /// After which turn of others. One that differs from that of the work before says that others may have worked since.
    pub turn: OthersTurn,
    /// From when on nobody works by a Lease that was deleted before this replica made one.
    pub undisputed: Instant,
    client: Client,
}

/// A time during which others may have worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OthersTurn {
    /// Which one, of this process.
    pub number: u64,
    /// When it was over.
    pub ended: Instant,
}

impl Tenure {
    /// One that begins now.
    pub fn new(number: u64, fence: Arc<Fence>, client: Client, turn: OthersTurn, undisputed: Instant) -> Self {
        Self { number, fence, turn, undisputed, client }
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.fence.is_open()
    }

    /// The client by which is written what was decided during it.
    #[must_use]
    pub fn client(&self) -> Option<Client> {
        self.is_open().then(|| self.client.clone())
    }

    /// What another replica has written may be news still.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.turn.ended.elapsed() < HEARSAY
    }
}
