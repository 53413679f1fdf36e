//! Small but nasty histories of exceptions.

use super::plain::{ExceptionClient, ExceptionOffer, ExceptionRequest, ExceptionVote, ExceptionWorld, at};
use crate::core::calendar::{Instant, format_instant};
use chrono::TimeDelta;
use proptest::{collection::vec, option::weighted, prelude::*};

const REQUESTS: [&str; 2] = ["x", "y"];

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

const BOT: &str = "system:serviceaccount:ci:bot";

/// The last one is none.
const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "UTC", "Mars/Olympus"];

/// Around changes of the clocks, and the end of a month.
const BASES: [&str; 3] = ["2027-03-26T22:00:00Z", "2027-10-29T23:00:00Z", "2028-01-28T03:00:00Z"];

const DAY: i64 = 24 * 60 * 60;

#[derive(Clone, Copy, Debug)]
pub enum AskedMoment {
    /// Of so many quarters of a day.
    Tick(u8),
    Date(u8),
    Never,
    Nonsense,
}

#[derive(Clone, Debug)]
pub struct NewRequest {
    amount: Option<usize>,
    start: Option<AskedMoment>,
    end: AskedMoment,
    by: usize,
    restored_by: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct NewVote {
    request: usize,
    by: usize,
    approve: bool,
    /// It names another definition.
    astray: bool,
}

#[derive(Clone, Debug)]
pub struct NewRules {
    approvals: u32,
    max_term: &'static str,
    expires_after: &'static str,
    refused: bool,
    max: bool,
}

#[derive(Clone, Debug)]
pub enum StoryTurn {
    /// So many seconds later.
    Pass(i64),
    Ask(usize, NewRequest),
    Withdraw(usize),
    Cancel(usize),
    Vote(NewVote),
    /// A decision is deleted.
    Unvote(usize),
    Rule(NewRules),
    Break,
    Undefine,
    Zone(usize),
    Suspend(bool),
    Close(bool),
    /// The organization is deleted.
    Leave,
    /// All statuses are lost.
    Forget,
    /// The operator is down for this one: it sees what came of it later.
    Missed(Box<StoryTurn>),
}

/// A history: the state at first, and what happens then.
#[derive(Clone, Debug)]
pub struct Story {
    base: usize,
    zone: usize,
    is_feature: bool,
    holders: Vec<(usize, u8, u8)>,
    rules: NewRules,
    requests: Vec<NewRequest>,
    pub turns: Vec<StoryTurn>,
}

impl Story {
    /// The same, in which no status is lost.
    pub fn without_forgetting(mut self) -> Self {
        self.turns.retain(|turn| !matches!(turn, StoryTurn::Forget));
        self
    }
}

fn moment(first: u8, last: u8) -> impl Strategy<Value = AskedMoment> {
    prop_oneof![
        20 => (first..last).prop_map(AskedMoment::Tick),
        20 => (first..last).prop_map(AskedMoment::Date),
        1 => Just(AskedMoment::Never),
        1 => Just(AskedMoment::Nonsense),
    ]
}

const AMOUNTS: [&str; 4] = ["0", "5", "10", "Unlimited"];

prop_compose! {
    fn request()(
        amount in weighted(0.93, prop_oneof![1 => Just(0), 5 => Just(1), 5 => Just(2), 1 => Just(3)]),
        start in weighted(0.5, moment(0, 20)),
        end in moment(4, 40),
        by in prop_oneof![4 => 0..PEOPLE.len(), 1 => Just(PEOPLE.len())],
        restored_by in weighted(0.1, 0..=PEOPLE.len()),
    ) -> NewRequest {
        NewRequest { amount, start, end, by, restored_by }
    }
}

prop_compose! {
    fn vote()(
        request in 0..REQUESTS.len(),
        by in prop_oneof![8 => 0..PEOPLE.len(), 1 => Just(PEOPLE.len())],
        approve in prop::bool::weighted(0.85),
        astray in prop::bool::weighted(0.05),
    ) -> NewVote {
        NewVote { request, by, approve, astray }
    }
}

prop_compose! {
    fn rules()(
        approvals in prop_oneof![1 => Just(0u32), 4 => Just(1), 3 => Just(2), 1 => Just(3)],
        max_term in prop::sample::select(vec!["P3D", "P7D", "P7D", "P1M", "PT36H"]),
        expires_after in prop::sample::select(vec!["PT3S", "PT6H", "P1D", "P1D", "P3D", "P3D"]),
        refused in prop::bool::weighted(0.08),
        max in any::<bool>(),
    ) -> NewRules {
        NewRules { approvals, max_term, expires_after, refused, max }
    }
}

fn turn() -> impl Strategy<Value = StoryTurn> {
    prop_oneof![
        6 => (0i64..4).prop_map(StoryTurn::Pass),
        6 => (1i64..12).prop_map(|quarters| StoryTurn::Pass(quarters * DAY / 4)),
        6 => (0..REQUESTS.len(), request()).prop_map(|(index, request)| StoryTurn::Ask(index, request)),
        1 => (0..REQUESTS.len()).prop_map(StoryTurn::Withdraw),
        1 => (0..REQUESTS.len()).prop_map(StoryTurn::Cancel),
        14 => vote().prop_map(StoryTurn::Vote),
        2 => (0..8usize).prop_map(StoryTurn::Unvote),
        3 => rules().prop_map(StoryTurn::Rule),
        1 => Just(StoryTurn::Break),
        1 => Just(StoryTurn::Undefine),
        2 => (0..ZONES.len()).prop_map(StoryTurn::Zone),
        3 => any::<bool>().prop_map(StoryTurn::Suspend),
        1 => any::<bool>().prop_map(StoryTurn::Close),
        1 => Just(StoryTurn::Leave),
        1 => Just(StoryTurn::Forget),
    ]
}

fn turn_or_missed() -> impl Strategy<Value = StoryTurn> {
    (turn(), prop::bool::weighted(0.3)).prop_map(|(turn, is_missed)| {
        let can_be = is_missed && !matches!(turn, StoryTurn::Forget);
        if can_be { StoryTurn::Missed(Box::new(turn)) } else { turn }
    })
}

prop_compose! {
    pub fn story(turns: usize)(
        base in 0..BASES.len(),
        zone in 0..ZONES.len() - 1,
        is_feature in prop::bool::weighted(0.1),
        holders in vec((0..3usize, 0u8..10, 10u8..40), 0..3),
        rules in rules().prop_map(|rules| NewRules { refused: false, ..rules }),
        requests in vec(request(), 0..=2),
        turns in vec(turn_or_missed(), turns),
    ) -> Story {
        Story { base, zone, is_feature, holders, rules, requests, turns }
    }
}

fn user(index: usize) -> String {
    PEOPLE.get(index).unwrap_or(&BOT).to_string()
}

/// A history on its way.
pub struct StoryTelling {
    base: Instant,
    zone: usize,
    rules: NewRules,
    pub now: Instant,
    pub world: ExceptionWorld,
    pub is_missed: bool,
    made: usize,
}

impl StoryTelling {
    pub fn new(story: &Story) -> Self {
        let base = at(BASES[story.base]);
        let mut telling = Self {
            base,
            zone: story.zone,
            rules: story.rules.clone(),
            now: base + TimeDelta::days(1),
            world: ExceptionWorld { is_feature: story.is_feature, ..ExceptionWorld::default() },
            is_missed: false,
            made: 0,
        };
        telling.world.allow_multiple = story.holders.len() != 1;
        for (index, (amount, start, end)) in story.holders.iter().enumerate() {
            let amount = ["5", "25", "Unlimited"][*amount].to_owned();
            let [start, end] = [start, end].map(|tick| telling.text(AskedMoment::Date(*tick)));
            telling.world.holders.insert(format!("i{index}"), (amount, start, end));
        }
        telling.rule();
        telling.world.organization = Some(telling.client());
        for (index, request) in story.requests.iter().enumerate() {
            telling.ask(index, request);
        }
        telling
    }

    fn text(&self, moment: AskedMoment) -> String {
        let tick = |tick: u8| self.base + TimeDelta::seconds(i64::from(tick) * DAY / 4);
        match moment {
            AskedMoment::Tick(number) => format_instant(tick(number)),
            AskedMoment::Date(number) => tick(number).date_naive().to_string(),
            AskedMoment::Never => "9999-12-31".to_owned(),
            AskedMoment::Nonsense => "2027-02-30".to_owned(),
        }
    }

    fn client(&self) -> ExceptionClient {
        ExceptionClient { zone: ZONES[self.zone].to_owned(), suspended: false, closed: false }
    }

    fn client_mut(&mut self) -> &mut ExceptionClient {
        let new = self.client();
        self.world.organization.get_or_insert(new)
    }

    fn rule(&mut self) {
        self.world.definition = Some(ExceptionOffer {
            max: self.rules.max,
            broken: false,
            approvals: self.rules.approvals,
            max_term: self.rules.max_term.to_owned(),
            expires_after: self.rules.expires_after.to_owned(),
            refused: self.rules.refused,
        });
    }

    fn ask(&mut self, index: usize, new: &NewRequest) {
        if self.world.requests.contains_key(REQUESTS[index]) {
            return;
        }
        self.made += 1;
        let fits = new.amount.map(|amount| AMOUNTS[amount].to_owned());
        let request = ExceptionRequest {
            uid: format!("u-{}", self.made),
            made: self.now,
            amount: if self.world.is_feature && new.amount.is_some() { None } else { fits },
            start: new.start.map(|start| self.text(start)),
            end: self.text(new.end),
            by: user(new.by),
            restored_by: new.restored_by.map(user),
            cancelled: false,
        };
        self.world.requests.insert(REQUESTS[index].to_owned(), request);
    }

    pub fn turn(&mut self, turn: &StoryTurn) {
        self.is_missed = false;
        match turn {
            StoryTurn::Pass(seconds) => self.now += TimeDelta::seconds(*seconds),
            StoryTurn::Ask(index, new) => self.ask(*index, new),
            StoryTurn::Withdraw(index) => drop(self.world.requests.remove(REQUESTS[*index])),
            StoryTurn::Cancel(index) => {
                if let Some(request) = self.world.requests.get_mut(REQUESTS[*index]) {
                    request.cancelled = true;
                }
            }
            StoryTurn::Vote(new) => self.vote(new),
            StoryTurn::Unvote(index) => {
                let name = self.world.votes.keys().nth(*index).cloned();
                name.map(|name| self.world.votes.remove(&name));
            }
            StoryTurn::Rule(rules) => {
                self.rules = rules.clone();
                self.rule();
            }
            StoryTurn::Break => {
                if let Some(offer) = &mut self.world.definition {
                    offer.broken = true;
                }
            }
            StoryTurn::Undefine => self.world.definition = None,
            StoryTurn::Zone(zone) => {
                self.zone = *zone;
                ZONES[*zone].clone_into(&mut self.client_mut().zone);
            }
            StoryTurn::Suspend(suspended) => self.client_mut().suspended = *suspended,
            StoryTurn::Close(closed) => self.client_mut().closed = *closed,
            StoryTurn::Leave => self.world.organization = None,
            StoryTurn::Forget => {}
            StoryTurn::Missed(turn) => {
                self.turn(turn);
                self.is_missed = true;
            }
        }
    }

    fn vote(&mut self, new: &NewVote) {
        let name = REQUESTS[new.request];
        let Some(request) = self.world.requests.get(name) else { return };
        self.made += 1;
        let vote = ExceptionVote {
            made: self.now,
            on: (name.to_owned(), request.uid.clone()),
            definition: if new.astray { "chairs" } else { "seats" }.to_owned(),
            approve: new.approve,
            by: user(new.by),
        };
        // Their names are not in the order of time.
        self.world.votes.insert(format!("v{}", self.made * 7 % 10 + self.made * 10), vote);
    }
}
