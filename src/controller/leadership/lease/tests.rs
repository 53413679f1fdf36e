//! Rules one by one, and the law that no two work at once.

use super::{LONGEST, LeaseCandidate, LeaseRecord, LeaseStep};
use crate::connection::BootTime;
use proptest::prelude::*;
use std::{collections::VecDeque, time::Duration};

const DURATION: Duration = Duration::from_secs(15);

fn seconds(seconds: u64) -> BootTime {
    BootTime::from_secs(seconds)
}

fn lease(version: u64, holder: &str, duration: Option<u64>) -> LeaseRecord {
    let duration = duration.map(Duration::from_secs);
    LeaseRecord { version, holder: holder.to_owned(), duration, is_given_up: false }
}

fn given_up(version: u64) -> LeaseRecord {
    LeaseRecord { is_given_up: true, ..lease(version, "", Some(1)) }
}

/// A replica that has read the Lease at that moment.
fn candidate(read: Option<LeaseRecord>, now: BootTime) -> LeaseCandidate {
    let mut candidate = LeaseCandidate::new("me".to_owned(), DURATION);
    assert_eq!(candidate.step(now), LeaseStep::Read);
    match read {
        Some(lease) => candidate.read(lease, now),
        None => candidate.read_none(now),
    }
    candidate
}

/// One that holds the lease since then.
fn holder(sent: BootTime) -> LeaseCandidate {
    let mut candidate = candidate(None, sent);
    candidate.tries();
    candidate.wrote(lease(1, "me", Some(15)), sent, sent + Duration::from_millis(100));
    candidate
}

#[test]
fn where_there_has_never_been_one_it_is_made_at_once() {
    assert_eq!(candidate(None, seconds(100)).step(seconds(100)), LeaseStep::Write);
}

#[test]
fn who_holds_it_renews_after_a_third_and_stops_after_two() {
    let holder = holder(seconds(100));
    assert_eq!(holder.step(seconds(101)), LeaseStep::Wait(seconds(105)));
    assert_eq!(holder.step(seconds(105)), LeaseStep::Write);
    assert_eq!(holder.works(seconds(109)), Some(seconds(110)));
    assert_eq!(holder.works(seconds(110)), None);
    // Nobody else has taken it: it is taken again.
    assert_eq!(holder.step(seconds(500)), LeaseStep::Write);
}

#[test]
fn a_renewal_counts_from_before_it_was_sent() {
    let mut holder = holder(seconds(100));
    holder.wrote(lease(2, "me", Some(15)), seconds(105), seconds(114));
    assert_eq!(holder.works(seconds(114)), Some(seconds(115)));
    // An older one that is answered later takes nothing back.
    holder.wrote(lease(3, "me", Some(15)), seconds(103), seconds(114));
    assert_eq!(holder.works(seconds(114)), Some(seconds(115)));
}

#[test]
fn who_stands_by_waits_from_the_last_change_that_it_has_seen() {
    let mut candidate = candidate(Some(lease(7, "other", Some(15))), seconds(100));
    assert_eq!(candidate.step(seconds(114)), LeaseStep::Wait(seconds(115)));
    candidate.saw(lease(8, "other", Some(15)), seconds(110));
    assert_eq!(candidate.step(seconds(124)), LeaseStep::Wait(seconds(125)));
    // What was seen already is no news.
    candidate.saw(lease(8, "other", Some(15)), seconds(120));
    candidate.saw(lease(7, "other", Some(15)), seconds(121));
    assert_eq!(candidate.step(seconds(125)), LeaseStep::Write);
    assert_eq!(candidate.works(seconds(125)), None);
    assert_eq!(candidate.holder(), Some("other"));
}

#[test]
fn what_is_given_up_is_taken_at_once_and_what_nobody_holds_otherwise_is_not() {
    let next = candidate(Some(given_up(7)), seconds(100));
    assert_eq!((next.step(seconds(100)), next.holder()), (LeaseStep::Write, None));
    // Whoever held it may not know yet, however short its lease is.
    for duration in [1, 15] {
        let cleared = candidate(Some(lease(7, "", Some(duration))), seconds(100));
        assert_eq!(cleared.step(seconds(100)), LeaseStep::Wait(seconds(115)), "{duration}");
    }
}

#[test]
fn garbage_stops_nobody_for_ever_and_hurries_nobody() {
    let due = |duration| candidate(Some(lease(7, "other", duration)), seconds(100)).step(seconds(100));
    for duration in [None, Some(u64::MAX / 2), Some(3600)] {
        assert_eq!(due(duration), LeaseStep::Wait(seconds(100) + LONGEST), "{duration:?}");
    }
    assert_eq!(due(Some(1)), LeaseStep::Wait(seconds(115)));
    assert_eq!(due(Some(40)), LeaseStep::Wait(seconds(140)));
    // Nor does somebody who writes this replica into it.
    let named = candidate(Some(lease(7, "me", Some(15))), seconds(100));
    assert_eq!(named.step(seconds(100)), LeaseStep::Wait(seconds(115)));
}

#[test]
fn what_is_deleted_is_missed_for_as_long_as_its_holder_may_work() {
    let mut standby = candidate(Some(lease(7, "other", Some(15))), seconds(100));
    standby.saw_gone(6, seconds(101));
    assert_eq!(standby.step(seconds(101)), LeaseStep::Wait(seconds(115)));
    standby.saw_gone(9, seconds(102));
    assert_eq!(standby.step(seconds(102)), LeaseStep::Wait(seconds(102) + LONGEST));
    let mut holder = holder(seconds(100));
    holder.read_none(seconds(101));
    assert_eq!(holder.works(seconds(101)), None);
}

#[test]
fn who_has_lost_it_stops_and_who_sees_it_edited_writes_it_anew() {
    let mut lost = holder(seconds(100));
    lost.saw(lease(2, "other", Some(15)), seconds(101));
    assert_eq!(lost.works(seconds(101)), None);
    assert_eq!(lost.step(seconds(101)), LeaseStep::Wait(seconds(116)));
    let mut edited = holder(seconds(100));
    edited.saw(lease(2, "me", Some(1)), seconds(101));
    assert_eq!(edited.works(seconds(101)), Some(seconds(110)));
    assert_eq!(edited.step(seconds(101)), LeaseStep::Write);
}

#[test]
fn after_a_failure_it_is_tried_again_before_it_is_too_late() {
    let mut holder = holder(seconds(100));
    holder.failed(false, seconds(105));
    let LeaseStep::Wait(next) = holder.step(seconds(105)) else { panic!("it does not rest") };
    assert_eq!((next, holder.step(next)), (seconds(105) + DURATION / 16, LeaseStep::Write));
    // If the first attempt comes to nothing, there is time for a second one.
    assert!(seconds(105) + holder.patience() + DURATION / 16 + Duration::from_secs(1) < seconds(110));
    holder.failed(true, next);
    let LeaseStep::Wait(soon) = holder.step(next) else { panic!("it does not rest") };
    assert!(soon < seconds(107));
    assert_eq!(holder.step(soon), LeaseStep::Read);
}

#[test]
fn after_a_restore_of_the_cluster_what_is_read_counts() {
    let mut standby = candidate(Some(lease(700, "other", Some(15))), seconds(100));
    standby.saw(lease(7, "other", Some(15)), seconds(101));
    assert_eq!(standby.version(), Some(700));
    standby.read(lease(7, "other", Some(15)), seconds(110));
    assert_eq!((standby.version(), standby.step(seconds(110))), (Some(7), LeaseStep::Wait(seconds(125))));
}

#[test]
fn an_answer_that_was_lost_is_made_up_for() {
    let mut candidate = candidate(None, seconds(100));
    candidate.tries();
    candidate.failed(false, seconds(101));
    candidate.saw(lease(1, "me", Some(15)), seconds(102));
    assert_eq!((candidate.step(seconds(103)), candidate.works(seconds(103))), (LeaseStep::Write, None));
}

#[test]
fn others_may_have_worked_whatever_has_become_of_it_by_now() {
    let mut returns = holder(seconds(100));
    assert!(returns.succeeds());
    // It was late, and nobody has taken its place.
    returns.wrote(lease(2, "me", Some(15)), seconds(200), seconds(200));
    assert!(!returns.succeeds());
    // While it was frozen, another one has worked, and has given the lease up.
    returns.saw(lease(3, "other", Some(15)), seconds(220));
    returns.saw(given_up(4), seconds(220));
    returns.tries();
    returns.wrote(lease(5, "me", Some(15)), seconds(220), seconds(220));
    assert!(returns.succeeds());
    // Or there is nothing left of that.
    returns.read(given_up(7), seconds(240));
    assert!(returns.succeeds());
    returns.read_none(seconds(260));
    assert!(returns.succeeds());
}

/// The API server's end: one object that is written only by who knows its version.
#[derive(Default)]
struct Server {
    version: u64,
    lease: Option<LeaseRecord>,
}

impl Server {
    fn put(&mut self, known: Option<u64>, lease: LeaseRecord) -> Option<LeaseRecord> {
        if self.lease.as_ref().map(|lease| lease.version) != known {
            return None;
        }
        self.version += 1;
        let lease = LeaseRecord { version: self.version, ..lease };
        self.lease = Some(lease.clone());
        Some(lease)
    }
}

/// What came of a request that has arrived: the Lease, where there is one, or it was taken.
struct Arrived(Option<LeaseRecord>);

/// A request that is under way.
struct Flight {
    sent: BootTime,
    known: Option<u64>,
    arrives: u64,
    answered: u64,
    /// Once it has arrived: the Lease that was read or written, if any was.
    outcome: Option<Arrived>,
    is_read: bool,
}

struct Simulated {
    candidate: LeaseCandidate,
    /// Its clock is that far from everybody else's.
    offset: BootTime,
    frozen_until: u64,
    flight: Option<Flight>,
    /// What the watch tells, and when.
    news: VecDeque<(u64, LeaseRecord)>,
}

#[derive(Clone, Copy, Debug)]
enum Mishap {
    Freeze(usize, u64),
    Slow(usize, u64, u64),
    Lose(usize, bool),
    GiveUp(usize),
    Deaf(usize),
    Clear,
    Garbage(Option<u64>),
}

/// In milliseconds, of whom.
fn mishap() -> impl Strategy<Value = Mishap> {
    let who = 0..3_usize;
    prop_oneof![
        4 => (who.clone(), 1..4000_u64).prop_map(|(who, long)| Mishap::Freeze(who, long)),
        4 => (who.clone(), 0..2500_u64, 0..2500_u64).prop_map(|(who, there, back)| Mishap::Slow(who, there, back)),
        3 => (who.clone(), any::<bool>()).prop_map(|(who, there)| Mishap::Lose(who, there)),
        2 => who.clone().prop_map(Mishap::GiveUp),
        2 => who.prop_map(Mishap::Deaf),
        1 => Just(Mishap::Clear),
        1 => prop::option::of(1..100_000_u64).prop_map(Mishap::Garbage),
    ]
}

struct Simulation {
    server: Server,
    replicas: Vec<Simulated>,
    terms: Vec<usize>,
}

impl Simulation {
    fn new(offsets: [u64; 3]) -> Self {
        let replicas = offsets.into_iter().enumerate().map(|(number, offset)| Simulated {
            candidate: LeaseCandidate::new(format!("replica-{number}"), Duration::from_secs(2)),
            offset: BootTime::from_millis(offset),
            frozen_until: 0,
            flight: None,
            news: VecDeque::new(),
        });
        Self { server: Server::default(), replicas: replicas.collect(), terms: Vec::new() }
    }

    fn tell(&mut self, now: u64) {
        let Some(lease) = self.server.lease.clone() else { return };
        for replica in &mut self.replicas {
            replica.news.push_back((now + 5, lease.clone()));
        }
    }

    fn mishap(&mut self, mishap: Mishap, now: u64) {
        match mishap {
            Mishap::Freeze(who, long) => self.replicas[who].frozen_until = now + long,
            Mishap::Slow(who, there, back) => {
                if let Some(flight) = &mut self.replicas[who].flight {
                    flight.arrives = flight.arrives.saturating_add(there);
                    flight.answered = flight.answered.saturating_add(there + back);
                }
            }
            Mishap::Lose(who, there) => {
                if let Some(flight) = &mut self.replicas[who].flight {
                    flight.answered = u64::MAX;
                    flight.arrives = if there { u64::MAX } else { flight.arrives };
                }
            }
            Mishap::GiveUp(who) => {
                let replica = &mut self.replicas[who];
                let works = replica.candidate.works(BootTime::from_millis(now) + replica.offset).is_some();
                if now < replica.frozen_until || replica.flight.is_some() || !works {
                    return;
                }
                replica.candidate.gives_up();
                let known = replica.candidate.version();
                self.server.put(known, given_up(0));
                self.tell(now);
            }
            Mishap::Deaf(who) => self.replicas[who].news.clear(),
            Mishap::Clear => self.edit(now, |lease| lease.holder.clear()),
            Mishap::Garbage(duration) => self.edit(now, |lease| lease.duration = duration.map(Duration::from_secs)),
        }
    }

    /// Somebody edits the Lease, who has a mind to.
    fn edit(&mut self, now: u64, edit: impl FnOnce(&mut LeaseRecord)) {
        let Some(lease) = self.server.lease.as_mut().filter(|lease| !lease.is_given_up) else { return };
        edit(lease);
        self.server.version += 1;
        lease.version = self.server.version;
        self.tell(now);
    }

    fn advance(&mut self, now: u64) {
        let mut has_changed = false;
        for replica in &mut self.replicas {
            if let Some(flight) = replica.flight.as_mut().filter(|flight| flight.arrives <= now) {
                flight.arrives = u64::MAX;
                let seconds = replica.candidate.duration().as_secs();
                let outcome = match flight.is_read {
                    true => self.server.lease.clone(),
                    false => self.server.put(flight.known, lease(0, replica.candidate.identity(), Some(seconds))),
                };
                has_changed |= !flight.is_read && outcome.is_some();
                flight.outcome = Some(Arrived(outcome));
            }
        }
        if has_changed {
            self.tell(now);
        }
        for (who, replica) in self.replicas.iter_mut().enumerate() {
            if now >= replica.frozen_until && replica.act(now) && self.terms.last() != Some(&who) {
                self.terms.push(who);
            }
        }
        let local = |replica: &Simulated| BootTime::from_millis(now) + replica.offset;
        let working = self.replicas.iter().filter(|replica| replica.candidate.works(local(replica)).is_some());
        assert!(working.count() <= 1, "two work at {now} ms");
    }
}

impl Simulated {
    /// Whether it has become the holder, or gone on being it.
    fn act(&mut self, now: u64) -> bool {
        let local = BootTime::from_millis(now) + self.offset;
        while self.news.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, lease)) = self.news.pop_front() else { break };
            // An answer that is under way is waited for first.
            if self.flight.is_none() {
                self.candidate.saw(lease, local);
            }
        }
        if let Some(flight) = &mut self.flight {
            let is_late = local >= flight.sent + self.candidate.patience();
            if flight.answered > now && !is_late {
                return false;
            }
            let (sent, is_read) = (flight.sent, flight.is_read);
            let outcome = flight.outcome.take().filter(|_| flight.answered <= now);
            self.flight = None;
            return match (outcome, is_read) {
                (Some(Arrived(Some(lease))), false) => {
                    self.candidate.wrote(lease, sent, local);
                    true
                }
                (Some(Arrived(lease)), true) => {
                    match lease {
                        Some(lease) => self.candidate.read(lease, local),
                        None => self.candidate.read_none(local),
                    }
                    false
                }
                (outcome, _) => {
                    self.candidate.failed(outcome.is_some(), local);
                    false
                }
            };
        }
        let step = self.candidate.step(local);
        if let LeaseStep::Wait(_) = step {
            return false;
        }
        if step == LeaseStep::Write {
            self.candidate.tries();
        }
        let known = self.candidate.version();
        let is_read = step == LeaseStep::Read;
        self.flight = Some(Flight { sent: local, known, arrives: now + 5, answered: now + 10, outcome: None, is_read });
        false
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_two_work_at_once_and_some_one_does_again(
        offsets in [0..100_000_u64, 0..100_000_u64, 0..100_000_u64],
        mishaps in prop::collection::vec((1..400_u64, mishap()), 0..60),
    ) {
        let mut simulation = Simulation::new(offsets);
        let mut now = 0;
        for (pause, mishap) in mishaps {
            for _ in 0..pause {
                now += 5;
                simulation.advance(now);
            }
            simulation.mishap(mishap, now);
        }
        // Whatever has happened, and whatever stands in the Lease.
        for _ in 0..(70_000 / 5) {
            now += 5;
            simulation.advance(now);
        }
        let works = |replica: &Simulated| replica.candidate.works(BootTime::from_millis(now) + replica.offset).is_some();
        prop_assert!(simulation.replicas.iter().any(works), "nobody works");
    }
}
