//! The Lease by which replicas of one namespace choose who works, and what follows from it.
//!
//! Clocks of different machines are never compared. Who holds the lease counts from before it sent the renewal that was taken, and
//! works for two thirds of the duration. The others count from when they saw the Lease change last, and wait for the whole
//! duration. A change is seen after it was sent, so that the holder has stopped by a third of the duration before anybody takes
//! over. Who takes over writes what it has seen with its resourceVersion, which the API server refuses if anything has
//! changed since.

use crate::connection::BootTime;
use std::time::Duration;

/// Nobody's lease lasts longer, and what says otherwise is wrong.
const LONGEST: Duration = Duration::from_mins(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Its state, as the API server counts them.
    pub version: u64,
    /// Who holds it; empty: nobody.
    pub holder: String,
    /// For how long, if that is a time.
    pub duration: Option<Duration>,
    /// Whoever held it has said that it writes nothing more.
    pub is_given_up: bool,
}

/// Whether there is a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LeaseSight {
    /// There has never been one.
    Never,
    /// There is none any more.
    Gone,
    Seen(LeaseRecord),
}

/// Who may have held the lease since this replica did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interim {
    Nobody,
    Others,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStep {
    /// It is to be read.
    Read,
    /// It is to be written with this replica as its holder: to take it, or to go on holding it.
    Write,
    /// There is nothing to do until then.
    Wait(BootTime),
}

/// One replica, and what it knows of the Lease.
#[derive(Clone, Debug)]
pub struct LeaseCandidate {
    identity: String,
    duration: Duration,
    sight: Option<LeaseSight>,
    /// When the Lease was first seen as it is.
    since: BootTime,
    /// When the last renewal was sent that the API server has taken.
    renewed: Option<BootTime>,
    /// Whether it is this replica that made itself the holder, or tried.
    has_tried: bool,
    /// Somebody else has changed the Lease that this replica holds.
    is_altered: bool,
    interim: Interim,
    has_to_read: bool,
    /// Not before, after a failure.
    rests_until: BootTime,
}

impl LeaseCandidate {
    /// A replica that knows nothing yet.
    #[must_use]
    pub fn new(identity: String, duration: Duration) -> Self {
        Self {
            identity,
            duration,
            sight: None,
            since: BootTime::ZERO,
            renewed: None,
            has_tried: false,
            is_altered: false,
            interim: Interim::Others,
            has_to_read: true,
            rests_until: BootTime::ZERO,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// How long the lease lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Whether it is known whether there is a Lease.
    #[must_use]
    pub fn is_informed(&self) -> bool {
        self.sight.is_some()
    }

    /// Who holds the lease, as far as is known.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        match &self.sight {
            Some(LeaseSight::Seen(lease)) if !lease.holder.is_empty() => Some(&lease.holder),
            _ => None,
        }
    }

    /// The state of the Lease that is known.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        match &self.sight {
            Some(LeaseSight::Seen(lease)) => Some(lease.version),
            _ => None,
        }
    }

    /// Whether there has never been one, as far as this replica knows.
    #[must_use]
    pub fn finds_none(&self) -> bool {
        self.sight == Some(LeaseSight::Never)
    }

    /// Until when this replica may write, if it may now.
    #[must_use]
    pub fn works(&self, now: BootTime) -> Option<BootTime> {
        self.renewed.map(|renewed| renewed + self.duration * 2 / 3).filter(|until| now < *until)
    }

    /// How long an attempt may take: so long that after one that came to nothing, there is time for another by a new connection.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.duration / 5
    }

    /// The watch, which may be behind, says that the Lease is so.
    pub fn saw(&mut self, lease: LeaseRecord, now: BootTime) {
        if self.version().is_none_or(|known| known < lease.version) {
            self.take_in(lease, now);
        }
    }

    /// The Lease was read, and is so. After a restore of the cluster its version may be an older one.
    pub fn read(&mut self, lease: LeaseRecord, now: BootTime) {
        self.has_to_read = false;
        if self.version() != Some(lease.version) {
            self.take_in(lease, now);
        }
    }

    fn take_in(&mut self, lease: LeaseRecord, now: BootTime) {
        if lease.holder == self.identity {
            self.is_altered |= self.renewed.is_some();
        } else {
            self.lost();
        }
        (self.sight, self.since) = (Some(LeaseSight::Seen(lease)), now);
    }

    /// The watch says that the Lease of that version is gone.
    pub fn saw_gone(&mut self, version: u64, now: BootTime) {
        if self.version().is_some_and(|known| known <= version) {
            self.lost();
            (self.sight, self.since) = (Some(LeaseSight::Gone), now);
        }
    }

    /// There was none to be read.
    pub fn read_none(&mut self, now: BootTime) {
        self.has_to_read = false;
        match &self.sight {
            Some(LeaseSight::Seen(_)) => {
                self.lost();
                (self.sight, self.since) = (Some(LeaseSight::Gone), now);
            }
            Some(LeaseSight::Never | LeaseSight::Gone) => {}
            None => (self.sight, self.since) = (Some(LeaseSight::Never), now),
        }
    }

    fn lost(&mut self) {
        (self.renewed, self.has_tried, self.is_altered) = (None, false, false);
        self.interim = Interim::Others;
    }

    /// This replica begins to work. Whether others may have worked since it did last.
    pub fn succeeds(&mut self) -> bool {
        std::mem::replace(&mut self.interim, Interim::Nobody) == Interim::Others
    }

    /// It is being written. Whatever comes of it, this replica may be the holder from now on.
    pub fn tries(&mut self) {
        self.has_tried = true;
    }

    /// Whether this replica may be the holder, for all that it has heard.
    #[must_use]
    pub fn may_hold(&self) -> bool {
        self.has_tried
    }

    /// The API server has taken what was sent at that moment.
    pub fn wrote(&mut self, lease: LeaseRecord, sent: BootTime, now: BootTime) {
        self.is_altered = false;
        self.renewed = Some(self.renewed.map_or(sent, |before| before.max(sent)));
        (self.sight, self.since) = (Some(LeaseSight::Seen(lease)), now);
    }

    /// It could not be read or written, or nobody knows. Where it has changed, it is to be read first.
    pub fn failed(&mut self, has_changed: bool, now: BootTime) {
        self.has_to_read |= has_changed;
        let pause = (self.duration / 16).min(LONGEST_PAUSE);
        self.rests_until = now + if has_changed { pause / 8 } else { pause };
    }

    /// This replica gives the lease up. What it must not do any more it has to stop before.
    pub fn gives_up(&mut self) {
        self.renewed = None;
    }

    /// What is to be done.
    #[must_use]
    pub fn step(&self, now: BootTime) -> LeaseStep {
        if self.rests_until > now {
            let until = self.works(now).map_or(self.rests_until, |until| until.min(self.rests_until));
            return LeaseStep::Wait(until);
        }
        let Some(sight) = self.sight.as_ref().filter(|_| !self.has_to_read) else { return LeaseStep::Read };
        let due = match sight {
            LeaseSight::Never => self.since,
            LeaseSight::Gone => self.since + self.longest(None),
            LeaseSight::Seen(lease) if lease.holder == self.identity && self.has_tried => self.renewal(),
            LeaseSight::Seen(lease) if lease.is_given_up => self.since,
            LeaseSight::Seen(lease) => self.since + self.longest(lease.duration),
        };
        if due <= now {
            return LeaseStep::Write;
        }
        LeaseStep::Wait(self.works(now).map_or(due, |until| until.min(due)))
    }

    /// When the lease is renewed that this replica holds: soon enough for a second attempt before it has to stop.
    fn renewal(&self) -> BootTime {
        match self.renewed {
            Some(renewed) if !self.is_altered => renewed + self.duration / 3,
            _ => BootTime::ZERO,
        }
    }

    /// How long whoever holds the lease may work, at most. Somebody may have written anything there.
    fn longest(&self, said: Option<Duration>) -> Duration {
        said.unwrap_or(LONGEST).clamp(self.duration, LONGEST.max(self.duration))
    }
}

#[cfg(test)]
mod tests;
