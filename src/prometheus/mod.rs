//! Asking Prometheus, and what speaks its API, what is used. What is to be asked and what an answer means is decided in
//! `core::usage`; nothing is kept here.

mod client;
mod options;
#[cfg(test)]
mod tests;

pub use options::{InvalidPrometheusUrl, PrometheusOptions, PrometheusUrl, UnusablePrometheus};

use crate::{
    api::usage::UsageMode,
    core::{
        calendar::Instant,
        usage::{
            answer::{PrometheusProblem, PrometheusReading, clocks_apart, read_buckets, read_present},
            buckets::{BucketPlan, BucketProgress, BucketRequest},
            register::{Register, RegisterId},
            rules::{PrometheusRule, UsageRules},
        },
    },
};
use client::{PrometheusClient, PrometheusReply};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::time;

/// How many requests one look makes at most; what is left is for the next one.
const MOST_REQUESTS: usize = 20;
/// How many registers one look reads; it ends with the request that reaches it.
const MOST_REGISTERS: usize = 100_000;

/// What is used, as Prometheus knows it.
#[derive(Clone, Debug)]
pub struct PrometheusSource {
    client: PrometheusClient,
}

/// What a look is for: one definition, of all organizations.
#[derive(Clone, Copy, Debug)]
pub struct UsageQuestion<'a> {
    /// How the definition is metered.
    pub rules: &'a UsageRules,
    /// What was asked for already.
    pub known: Option<&'a BucketProgress>,
    /// The names of all organizations.
    pub organizations: &'a BTreeSet<Arc<str>>,
    /// The start of the open period, of all organizations the earliest; without periods, since when anything has been held.
    pub since: Instant,
    /// The operator's clock.
    pub now: Instant,
}

/// What came of a look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrometheusLook {
    /// What is to be counted, by organization. What is not in it stays as it is.
    pub registers: BTreeMap<Arc<str>, Vec<(RegisterId, Register)>>,
    /// What was asked for by now, to be kept together with the registers. Of what is Held, and before anything was answered, none.
    pub progress: Option<BucketProgress>,
    /// What is wrong, each thing once.
    pub problems: Vec<PrometheusProblem>,
    /// When something was heard of an organization, if it was: it was what counts by then.
    pub heard: Option<Instant>,
}

/// A look that is under way.
#[derive(Clone, Copy)]
struct Asking<'a> {
    question: &'a UsageQuestion<'a>,
    rule: &'a PrometheusRule,
    /// When the operator's clock showed what the question says.
    started: time::Instant,
}

/// One request's answer, read.
struct ReadReply {
    reading: PrometheusReading,
    /// Buckets that ended by then were counted.
    closed_by: Instant,
}

impl PrometheusSource {
    /// A source at that place. Whether it answers shows later.
    ///
    /// # Errors
    /// Where a file cannot be used.
    pub fn new(options: &PrometheusOptions) -> Result<Self, UnusablePrometheus> {
        Ok(Self { client: PrometheusClient::new(options)? })
    }

    /// Asks for what is used: all that has not been asked for, and the last buckets again; of what is Held the present value. It
    /// ends by itself, at the latest after the deadline of each of 20 requests.
    pub async fn look(&self, question: &UsageQuestion<'_>) -> PrometheusLook {
        let Some(asking) = Asking::of(question) else { return PrometheusLook::unchanged(question, Vec::new()) };
        if question.rules.mode == UsageMode::Held {
            return self.present(asking).await;
        }
        let UsageQuestion { known, organizations, since, now, .. } = *question;
        let plan = BucketPlan::of(known, asking.rule, organizations.len(), since, now);
        self.follow(asking, plan).await
    }

    /// Asks anew for a span of time. It is done once the progress is behind no more; otherwise the next looks go on with it.
    pub async fn recount(&self, question: &UsageQuestion<'_>, from: Instant, until: Instant) -> PrometheusLook {
        let Some(asking) = Asking::of(question) else { return PrometheusLook::unchanged(question, Vec::new()) };
        if question.rules.mode == UsageMode::Held {
            return PrometheusLook::unchanged(question, vec![PrometheusProblem::NothingToRecount]);
        }
        let UsageQuestion { known, organizations, now, .. } = *question;
        let plan = BucketPlan::recount(known, asking.rule, organizations.len(), (from, until), now);
        if plan.requests.is_empty() {
            return PrometheusLook::unchanged(question, vec![PrometheusProblem::NothingEnded]);
        }
        self.follow(asking, plan).await
    }

    /// Asks for what is planned, newest first. If that comes to nothing, nothing changes; an older request that fails is made
    /// again with the next look.
    async fn follow(&self, asking: Asking<'_>, plan: BucketPlan) -> PrometheusLook {
        let question = asking.question;
        let mut progress = plan.progress.clone();
        let mut all = PrometheusReading::default();
        for request in plan.requests.iter().take(MOST_REQUESTS) {
            let read = self.buckets(asking, &plan.progress, *request).await;
            let is_first = !all.is_answer;
            match read {
                Ok(ReadReply { reading, closed_by }) if reading.is_answer || !is_first => {
                    progress.answered(*request, closed_by);
                    all = all.with(reading);
                }
                Ok(ReadReply { reading, .. }) => return PrometheusLook::unchanged(question, reading.problems),
                Err(problem) if is_first => return PrometheusLook::unchanged(question, vec![problem]),
                Err(problem) => {
                    all = all.with(PrometheusReading::none(problem));
                    break;
                }
            }
            if all.size() >= MOST_REGISTERS {
                break;
            }
        }
        PrometheusLook {
            registers: all.registers,
            progress: Some(progress),
            problems: all.problems,
            heard: Some(question.now),
        }
    }

    /// Asks for some buckets, for fewer at once where the answer is too large.
    async fn buckets(
        &self,
        asking: Asking<'_>,
        progress: &BucketProgress,
        request: BucketRequest,
    ) -> Result<ReadReply, PrometheusProblem> {
        let question = asking.question;
        let (mut open, mut reading, mut closed_by) = (vec![request], PrometheusReading::default(), question.now);
        while let Some(one) = open.pop() {
            let reply = match self.client.buckets(&asking.rule.query_of(one.length()), one).await {
                Ok(reply) => reply,
                Err(problem) if problem.is_too_much() => {
                    let [newer, older] = one.halves().ok_or(problem)?;
                    open.extend([older, newer]);
                    continue;
                }
                Err(problem) => return Err(problem),
            };
            closed_by = closed_by.min(reply.date.unwrap_or(closed_by));
            let read = read_buckets(&reply.vector, one, progress, question.organizations, closed_by);
            reading = reading.with(read).with(asking.clocks(&reply));
        }
        Ok(ReadReply { reading, closed_by })
    }

    async fn present(&self, asking: Asking<'_>) -> PrometheusLook {
        let Asking { question, rule, .. } = asking;
        let reply = match self.client.present(&rule.query_of(rule.bucket)).await {
            Ok(reply) => reply,
            Err(problem) => return PrometheusLook::unchanged(question, vec![problem]),
        };
        let read = read_present(&reply.vector, question.organizations, question.now);
        let reading = read.with(asking.clocks(&reply));
        PrometheusLook {
            registers: reading.registers,
            heard: reading.is_answer.then_some(question.now),
            ..PrometheusLook::unchanged(question, reading.problems)
        }
    }
}

impl PrometheusLook {
    fn unchanged(question: &UsageQuestion<'_>, problems: Vec<PrometheusProblem>) -> Self {
        Self { progress: question.known.cloned(), problems, ..Self::default() }
    }
}

impl<'a> Asking<'a> {
    fn of(question: &'a UsageQuestion<'a>) -> Option<Self> {
        let rule = question.rules.prometheus.as_ref()?;
        Some(Self { question, rule, started: time::Instant::now() })
    }

    /// What is to be said of the clocks.
    fn clocks(&self, reply: &PrometheusReply) -> PrometheusReading {
        let elapsed = chrono::TimeDelta::from_std(reply.arrived - self.started).unwrap_or_default();
        let apart = reply.date.and_then(|date| clocks_apart(date, self.question.now + elapsed));
        PrometheusReading { problems: apart.into_iter().collect(), ..PrometheusReading::default() }
    }
}
