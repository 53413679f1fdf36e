//! Which buckets Prometheus is asked for, and which it was asked for already.
//!
//! A bucket is a half-open span of time. Buckets end at the multiples of their length since the epoch, and each begins where the
//! one before ended: so nothing is counted twice, whatever lengths there were. What is still missing is asked for from the newest
//! on, since an answer for the newest tells whether an older one that is empty is so for ever.

use super::rules::PrometheusRule;
use crate::core::calendar::Instant;
use chrono::DateTime;
use serde::{Deserialize, Serialize};

/// The most points that one request asks for.
pub const MOST_POINTS: u32 = 1_000;
/// How many points times organizations one request asks for at most, where it can: so an answer stays small.
const MOST_SAMPLES: usize = 100_000;
/// How many of the buckets that were asked for are asked for again: some of what they count may have come late.
const AGAIN: usize = 2;
/// How many seconds ago a bucket may be that is asked for: registers are not kept for longer.
pub const OLDEST: i64 = 395 * 86_400;
/// So many points one request may ask for, however many organizations there are.
const LEAST_POINTS: u32 = 3;

/// A half-open span of time, in seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Seconds {
    from: i64,
    until: i64,
}

/// From when on buckets have which length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LengthSince {
    from: i64,
    length: u32,
}

/// Which buckets of one definition Prometheus was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketProgress {
    /// Oldest first; the first one is where the first bucket begins.
    lengths: Vec<LengthSince>,
    /// The end of the last bucket that was asked for, or is missing.
    until: i64,
    /// What is still to be asked for: oldest first, apart from each other.
    missing: Vec<Seconds>,
}

/// Buckets of one length, one after the other, that one request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketRequest {
    /// The start of the first one, in seconds since the epoch.
    first: i64,
    /// How many seconds each is long.
    length: u32,
    /// How many there are.
    points: u32,
}

/// What a look asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPlan {
    /// What is remembered once it is answered, but for what is answered.
    pub progress: BucketProgress,
    /// Newest first. The first one tells whether anything is known at all.
    pub requests: Vec<BucketRequest>,
}

impl BucketRequest {
    /// How many seconds each bucket is long.
    #[must_use]
    pub fn length(self) -> u32 {
        self.length
    }

    /// How many buckets there are.
    #[must_use]
    pub fn points(self) -> u32 {
        self.points
    }

    /// The moment at which the first bucket is evaluated: its end, in seconds since the epoch.
    #[must_use]
    pub fn first_end(self) -> i64 {
        self.first + i64::from(self.length)
    }

    /// The moment at which the last bucket is evaluated, in seconds since the epoch.
    #[must_use]
    pub fn last_end(self) -> i64 {
        self.first + i64::from(self.length) * i64::from(self.points)
    }

    /// The start of the bucket that is evaluated at a moment, if it is one of these.
    #[must_use]
    pub fn start_of(self, end: i64) -> Option<Instant> {
        let is_one = (self.first_end()..=self.last_end()).contains(&end);
        let start = end - i64::from(self.length);
        let fits = (start - self.first) % i64::from(self.length) == 0;
        if is_one && fits { DateTime::from_timestamp_secs(start) } else { None }
    }

    /// The same as two requests, the newer one first; none of a single bucket.
    #[must_use]
    pub fn halves(self) -> Option<[Self; 2]> {
        let older = self.points / 2;
        let middle = self.first + i64::from(self.length) * i64::from(older);
        let newer = Self { first: middle, points: self.points - older, ..self };
        (older > 0).then_some([newer, Self { points: older, ..self }])
    }
}

impl BucketPlan {
    /// What is to be asked for now: all that is missing since a moment, and the last buckets again. `since` is the start of the
    /// open period, of all organizations the earliest; where there are no periods, since when anything has been held.
    ///
    /// Where no bucket has ended since then, the last one before is asked for, which counts nothing and tells whether anything is
    /// known.
    #[must_use]
    pub fn of(
        known: Option<&BucketProgress>,
        rule: &PrometheusRule,
        organizations: usize,
        since: Instant,
        now: Instant,
    ) -> Self {
        let progress = BucketProgress::noted(known, rule.bucket, since, now);
        let mut spans = progress.missing.clone();
        spans.extend(known.and_then(BucketProgress::last));
        let mut requests = progress.requests(spans, most_points(organizations));
        if requests.is_empty() {
            let length = i64::from(rule.bucket.max(1));
            let first = floor(now.timestamp(), length) - length;
            requests.push(BucketRequest { first, length: rule.bucket.max(1), points: 1 });
        }
        Self { progress, requests }
    }

    /// What a recount of a span of time asks for: the buckets of it that have ended, as they were asked for, or would have been.
    #[must_use]
    pub fn recount(
        known: Option<&BucketProgress>,
        rule: &PrometheusRule,
        organizations: usize,
        (from, until): (Instant, Instant),
        now: Instant,
    ) -> Self {
        let mut progress = BucketProgress::noted(known, rule.bucket, from, now);
        let span = Seconds { from: from.timestamp(), until: until.timestamp() };
        let spans: Vec<Seconds> = progress.buckets_within(span).into_iter().collect();
        // What is left of it is for the next looks.
        progress.missing.extend(spans.iter().copied());
        progress.missing = joined(std::mem::take(&mut progress.missing));
        let requests = progress.requests(spans, most_points(organizations));
        Self { progress, requests }
    }
}

impl BucketProgress {
    /// Reads what [`BucketProgress::text`] wrote. None of anything else: then all begins anew, which counts nothing twice.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let read: Self = serde_json::from_str(text).ok()?;
        let ascends = read.lengths.is_sorted_by(|one, next| one.from < next.from);
        let has_lengths = read.lengths.iter().all(|one| one.length > 0);
        let ends = read.missing.iter().flat_map(|span| [span.from, span.until]);
        let is_in_order = ends.is_sorted_by(|one, next| one < next);
        let is_within = read.lengths.last().is_some_and(|last| last.from <= read.until)
            && read.missing.last().is_none_or(|last| last.until <= read.until)
            && read.missing.first().is_none_or(|first| first.from >= read.first());
        (ascends && has_lengths && is_in_order && is_within).then_some(read)
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether a bucket that begins then counts: those before the first one do not.
    #[must_use]
    pub fn counts(&self, start: Instant) -> bool {
        start.timestamp() >= self.first()
    }

    /// Whether something is still to be asked for.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.missing.is_empty()
    }

    /// What a request asked for is no longer missing, as far as its buckets had ended by a moment by all clocks.
    pub fn answered(&mut self, request: BucketRequest, closed_by: Instant) {
        let length = i64::from(request.length);
        let closed = (closed_by.timestamp() - request.first).div_euclid(length) * length + request.first;
        let answered = Seconds { from: request.first, until: request.last_end().min(closed) };
        if answered.from >= answered.until {
            return;
        }
        let left = self.missing.iter().flat_map(|span| {
            let before = Seconds { from: span.from, until: span.until.min(answered.from) };
            let after = Seconds { from: span.from.max(answered.until), until: span.until };
            [before, after]
        });
        self.missing = left.filter(|span| span.from < span.until).collect();
        if request.last_end() == self.until {
            self.take_back(answered.until);
        }
    }

    /// Buckets that have not ended by all clocks are noted anew when they have.
    fn take_back(&mut self, ended: i64) {
        let Some(last) = self.missing.pop_if(|span| span.until == self.until) else { return };
        self.until = ended.max(last.from);
        if last.from < self.until {
            self.missing.push(Seconds { until: self.until, ..last });
        }
    }

    /// What is remembered once all buckets are noted that have ended since a moment, as missing.
    fn noted(known: Option<&Self>, bucket: u32, since: Instant, now: Instant) -> Self {
        let bucket = bucket.max(1);
        let length = i64::from(bucket);
        let first = ceiling(since.timestamp().max(now.timestamp() - OLDEST), length);
        let end = floor(now.timestamp(), length);
        let known = known.filter(|known| known.first() < known.until);
        let mut progress = known.cloned().unwrap_or_else(|| Self {
            lengths: vec![LengthSince { from: first, length: bucket }],
            until: first,
            missing: Vec::new(),
        });
        progress.take_length(bucket);
        if progress.until < end {
            progress.missing.push(Seconds { from: progress.until, until: end });
            progress.until = end;
        }
        progress.begin_at(first, bucket);
        progress.missing = joined(std::mem::take(&mut progress.missing));
        progress.forget_before(now.timestamp() - OLDEST);
        progress
    }

    /// Another length begins where the last bucket ended.
    fn take_length(&mut self, length: u32) {
        let until = self.until;
        match self.lengths.last_mut() {
            Some(last) if last.length == length => {}
            Some(last) if last.from == until => last.length = length,
            _ => self.lengths.push(LengthSince { from: until, length }),
        }
    }

    /// An earlier beginning than the one so far.
    fn begin_at(&mut self, from: i64, length: u32) {
        let first = self.first();
        if from >= first {
            return;
        }
        let goes_on = self.lengths.first().is_some_and(|one| one.length == length) && first % i64::from(length) == 0;
        match self.lengths.first_mut() {
            Some(one) if goes_on => one.from = from,
            _ => self.lengths.insert(0, LengthSince { from, length }),
        }
        self.missing.insert(0, Seconds { from, until: first });
    }

    fn forget_before(&mut self, oldest: i64) {
        let past = self.lengths.iter().skip(1).take_while(|next| next.from <= oldest).count();
        self.lengths.drain(..past);
        let first = self.first().max(oldest.min(self.until));
        self.missing.retain(|span| span.until > first);
        if let Some(span) = self.missing.first_mut() {
            let from = self.lengths.first().map_or(span.from, |one| ceiling(first, i64::from(one.length)));
            span.from = span.from.max(from.min(span.until));
        }
        self.missing.retain(|span| span.from < span.until);
    }

    fn first(&self) -> i64 {
        self.lengths.first().map_or(self.until, |first| first.from)
    }

    /// The last buckets that were asked for.
    fn last(&self) -> Option<Seconds> {
        let missing = self.missing.last().filter(|span| span.until == self.until);
        let until = missing.map_or(self.until, |span| span.from);
        let before = self.missing.iter().rev().find(|span| span.until < self.until);
        let first = before.map_or(self.first(), |span| span.until);
        let mut from = until;
        for _ in 0..AGAIN {
            from = self.start_before(from).filter(|start| *start >= first).unwrap_or(from);
        }
        (from < until).then_some(Seconds { from, until })
    }

    /// The start of the bucket that ends at a moment, or in which it lies.
    fn start_before(&self, end: i64) -> Option<i64> {
        let one = self.lengths.iter().rfind(|one| one.from < end)?;
        let length = i64::from(one.length);
        Some(floor(end - 1, length).max(one.from))
    }

    /// The end of the bucket in which a moment lies.
    fn end_after(&self, at: i64) -> Option<i64> {
        let index = self.lengths.iter().rposition(|one| one.from <= at)?;
        let end = floor(at, i64::from(self.lengths.get(index)?.length)) + i64::from(self.lengths.get(index)?.length);
        Some(end.min(self.end_of(index)))
    }

    /// Where the buckets of a length end.
    fn end_of(&self, index: usize) -> i64 {
        self.lengths.get(index + 1).map_or(self.until, |next| next.from)
    }

    /// All buckets that have a part in a span, as a span.
    fn buckets_within(&self, span: Seconds) -> Option<Seconds> {
        let (from, until) = (span.from.max(self.first()), span.until.min(self.until));
        if from >= until {
            return None;
        }
        Some(Seconds { from: self.start_before(from + 1)?, until: self.end_after(until - 1)? })
    }

    /// What asks for all buckets of some spans, newest first.
    fn requests(&self, spans: Vec<Seconds>, most_points: u32) -> Vec<BucketRequest> {
        let mut requests = Vec::new();
        for span in joined(spans) {
            for (index, one) in self.lengths.iter().enumerate() {
                let (from, until) = (span.from.max(one.from), span.until.min(self.end_of(index)));
                push_requests(&mut requests, Seconds { from, until }, one.length, most_points);
            }
        }
        requests.reverse();
        requests
    }
}

/// What asks for the buckets of one length, oldest first: those that are cut short at the ends by themselves, and between them as
/// many as one request takes.
fn push_requests(requests: &mut Vec<BucketRequest>, span: Seconds, length: u32, most_points: u32) {
    let seconds = i64::from(length);
    let short = |from: i64, until: i64| BucketRequest {
        first: from,
        length: u32::try_from(until - from).unwrap_or(length),
        points: 1,
    };
    let begin = ceiling(span.from, seconds).min(span.until);
    if span.from < begin {
        requests.push(short(span.from, begin));
    }
    let end = floor(span.until, seconds).max(begin);
    let mut whole = Vec::new();
    let mut until = end;
    while until > begin {
        let points = ((until - begin) / seconds).min(most_points.into());
        until -= points * seconds;
        whole.push(BucketRequest { first: until, length, points: u32::try_from(points).unwrap_or(1) });
    }
    requests.extend(whole.into_iter().rev());
    if end < span.until {
        requests.push(short(end, span.until));
    }
}

/// Spans in order, those that meet as one.
fn joined(mut spans: Vec<Seconds>) -> Vec<Seconds> {
    spans.sort_unstable();
    let mut joined: Vec<Seconds> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            _ => joined.push(span),
        }
    }
    joined
}

fn most_points(organizations: usize) -> u32 {
    let points = MOST_SAMPLES / organizations.max(1);
    u32::try_from(points).unwrap_or(MOST_POINTS).clamp(LEAST_POINTS, MOST_POINTS)
}

fn floor(at: i64, length: i64) -> i64 {
    at - at.rem_euclid(length)
}

fn ceiling(at: i64, length: i64) -> i64 {
    floor(at + length - 1, length)
}
