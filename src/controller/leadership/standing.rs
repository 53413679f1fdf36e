//! What this process has to do with the work on the cluster, for all who go by it.

use super::Tenure;
use std::sync::Arc;
use tokio::sync::watch;

/// Whether this operator works on the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeadershipState {
    /// Not known yet.
    Unknown,
    /// It does, in its tenure of that number.
    Leads(u64),
    /// Another replica of it may, or none.
    StandsBy,
    /// The operator of that namespace does.
    Follows(Arc<str>),
}

/// What this process has to do with the work on the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadershipPart {
    /// It does it.
    Leads,
    /// It keeps ready for it.
    StandsBy,
}

/// What others may know of it.
#[derive(Clone, Debug)]
pub struct Leadership {
    pub(super) standing: watch::Receiver<LeadershipState>,
}

impl Leadership {
    /// The leadership of an operator that is alone.
    #[cfg(test)]
    #[must_use]
    pub fn for_good() -> Self {
        Self { standing: watch::channel(LeadershipState::Leads(1)).1 }
    }

    /// What is told by that.
    #[cfg(test)]
    #[must_use]
    pub fn watching(standing: watch::Receiver<LeadershipState>) -> Self {
        Self { standing }
    }

    /// Whether this operator works on the cluster.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.part() == Some(LeadershipPart::Leads)
    }

    /// What it has to do with that; None where it has nothing to do with it.
    #[must_use]
    pub fn part(&self) -> Option<LeadershipPart> {
        part(&self.standing.borrow())
    }

    /// Whether it works in that tenure.
    #[must_use]
    pub fn works_in(&self, tenure: &Tenure) -> bool {
        *self.standing.borrow() == LeadershipState::Leads(tenure.number)
    }

    /// Waits until it works on the cluster.
    pub async fn awaited(&self) {
        // The other end lives as long as the controller does.
        let _ = self.standing.clone().wait_for(|standing| part(standing) == Some(LeadershipPart::Leads)).await;
    }

    /// Waits until it has to do with that.
    pub async fn takes_part(&self) {
        let _ = self.standing.clone().wait_for(|standing| part(standing).is_some()).await;
    }

    /// Waits until it works no more without interruption, as it does now.
    pub async fn lost(&self) {
        let mut standing = self.standing.clone();
        let before = standing.borrow_and_update().clone();
        if part(&before) == Some(LeadershipPart::Leads) {
            let _ = standing.wait_for(|standing| *standing != before).await;
        }
    }

    /// Waits until something of it has changed since this was waited for last, be it that it is as it was again.
    pub async fn changed(&mut self) {
        if self.standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn part(standing: &LeadershipState) -> Option<LeadershipPart> {
    match standing {
        LeadershipState::Leads(_) => Some(LeadershipPart::Leads),
        LeadershipState::StandsBy => Some(LeadershipPart::StandsBy),
        LeadershipState::Unknown | LeadershipState::Follows(_) => None,
    }
}
