//! Uses that are asked for, on their way to the counter and back.

use super::{
    desk::{CheckDesk, scenes},
    problem::CheckProblem,
    turns::FairTurns,
};
use crate::{
    controller::{Knowledge, clock},
    core::{calendar::Instant, usage::register::RegisterId},
    evaluation::{
        check::CheckAnswer,
        uses::{UseChange, UseRefusal, UseVerdict},
    },
    kill_points::KillPoint,
    metering::{MeterReader, NotCounted, UseAnswer, UseCounter, UseRequest},
    store::{StoreError, meter::MeterId},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant as Moment, sleep},
};

/// How many uses of one caller are under way at once.
const UNDER_WAY: usize = 100;
/// How long a use waits until what has changed of what is held is noted: whoever leads does so at once.
const NOTED: Duration = Duration::from_secs(3);
/// How long until it is asked for again.
const AGAIN: Duration = Duration::from_millis(50);
/// What the origins of uses by the API begin with, so that no user's name is taken for another kind of origin.
const ORIGIN: &str = "API ";

/// Which use is meant.
#[derive(Clone, Debug)]
pub struct UseAddress {
    /// Whose it is.
    pub organization: Arc<str>,
    /// Of what, by the definition's name.
    pub entitlement: Arc<str>,
    /// Who says it, by name.
    pub user: Arc<str>,
    /// The caller's name for it.
    pub key: String,
}

impl UseAddress {
    fn register(&self) -> RegisterId {
        RegisterId { origin: format!("{ORIGIN}{}", self.user).into(), key: self.key.as_str().into() }
    }

    fn meter(&self) -> MeterId {
        MeterId { organization: Arc::clone(&self.organization), definition: Arc::clone(&self.entitlement) }
    }
}

/// A use as it is kept.
#[derive(Clone, Debug)]
pub struct KeptUse {
    /// When it was used.
    pub at: Instant,
    /// In which way.
    pub channel: Option<Arc<str>>,
    /// What it comes to.
    pub amount: rust_decimal::Decimal,
    /// As of when that was said.
    pub as_of: Instant,
}

/// Where uses are counted.
pub struct CountingDesk {
    reader: Arc<MeterReader>,
    counter: UseCounter,
    under_way: FairTurns<Arc<str>>,
}

impl CountingDesk {
    /// In the store of a reader, by what the controller knows.
    #[must_use]
    pub fn new(reader: Arc<MeterReader>, knowledge: Knowledge) -> Self {
        let tell = move |meters: &[&MeterId]| scenes(&knowledge, meters);
        let counter = UseCounter::start(Arc::clone(&reader), Box::new(tell), clock::now);
        Self { reader, counter, under_way: FairTurns::new(UNDER_WAY) }
    }

    fn begin(&self, user: &Arc<str>) -> Result<OwnedSemaphorePermit, CheckProblem> {
        self.under_way.of(user).try_acquire_owned().map_err(|_| {
            CheckProblem::TooMuch(format!("{UNDER_WAY} uses of yours are under way: wait for their answers"))
        })
    }
}

impl CheckDesk {
    /// Lets a caller begin with something that is counted; it is under way until that is dropped.
    ///
    /// # Errors
    /// Where nothing is counted, or the caller has too much under way.
    pub fn begin(&self, user: &Arc<str>) -> Result<OwnedSemaphorePermit, CheckProblem> {
        self.counting()?.begin(user)
    }

    /// Does something with a use that was asked for at that moment, and answers once that is on the disk.
    ///
    /// # Errors
    /// Where nothing became of it.
    pub async fn count(
        &self,
        address: &UseAddress,
        change: UseChange,
        asked: Moment,
    ) -> Result<UseAnswer, CheckProblem> {
        let counted = self.judge(address, change, asked).await;
        self.knowledge().metrics().api().used(result_of(&counted));
        counted
    }

    async fn judge(&self, address: &UseAddress, change: UseChange, asked: Moment) -> Result<UseAnswer, CheckProblem> {
        let counting = self.counting()?;
        self.confirmed()?;
        let request = UseRequest { meter: address.meter(), id: address.register(), change };
        KillPoint::Asked.pass();
        let counted = once_noted(counting, request, asked).await;
        if let Err(NotCounted::Untold | NotCounted::Store(_)) = &counted {
            // What would be refused in any case need not be sent again.
            let scene = self.scene(&address.organization, &address.entitlement)?;
            scene.definition.terms.usage.as_ref().ok_or_else(|| problem(UseRefusal::NotMetered.into()))?;
        }
        let counted = counted.map_err(problem)?;
        KillPoint::Answered.pass();
        Ok(counted)
    }

    /// What is answered to whoever asked for a use.
    #[must_use]
    pub fn answer(&self, counted: &UseAnswer) -> CheckAnswer {
        let mut answer = counted.answer();
        if let Some(usage) = &mut answer.usage {
            usage.notice = self.knowledge().store_notice();
        }
        answer
    }

    /// A use as it is kept.
    ///
    /// # Errors
    /// Where there is none, or it cannot be told now.
    pub async fn kept_use(&self, address: &UseAddress) -> Result<KeptUse, CheckProblem> {
        let counting = self.counting()?;
        self.scene(&address.organization, &address.entitlement)?;
        let known =
            counting.reader.register(&address.meter(), &address.register()).await.map_err(|e| problem(e.into()))?;
        let known = known.filter(|known| !known.deleted).ok_or_else(|| problem(UseRefusal::Unknown.into()))?;
        Ok(KeptUse { at: known.at, channel: known.channel, amount: known.amount, as_of: known.as_of })
    }
}

/// Counts it once what has changed of what is held is noted, for which it waits a moment.
async fn once_noted(counting: &CountingDesk, request: UseRequest, asked: Moment) -> Result<UseAnswer, NotCounted> {
    loop {
        let counted = counting.counter.count(request.clone()).await;
        let is_unnoted = matches!(counted, Err(NotCounted::Refused(UseRefusal::Unnoted)));
        if !is_unnoted || asked.elapsed() > NOTED {
            return counted;
        }
        sleep(AGAIN).await;
    }
}

/// What became of a use, as a label of a metric.
fn result_of(counted: &Result<UseAnswer, CheckProblem>) -> &'static str {
    match counted {
        Ok(answer) => match answer.verdict {
            UseVerdict::Count(_) => "counted",
            UseVerdict::Same | UseVerdict::Older => "duplicate",
            UseVerdict::Denied => "refused",
        },
        Err(CheckProblem::Unavailable(_)) => "unavailable",
        Err(_) => "invalid",
    }
}

fn problem(why: NotCounted) -> CheckProblem {
    match why {
        NotCounted::Refused(why @ UseRefusal::Unknown) => CheckProblem::NotFound(why.to_string()),
        NotCounted::Refused(why @ UseRefusal::Unnoted) => CheckProblem::Unavailable(why.to_string()),
        NotCounted::Refused(why @ UseRefusal::Ahead(_)) => CheckProblem::Invalid(why.to_string()),
        NotCounted::Refused(why) => CheckProblem::Conflict(why.to_string()),
        NotCounted::Store(StoreError::Unfit(why)) => CheckProblem::Invalid(why),
        NotCounted::Untold => CheckProblem::Unavailable(format!("{why}: try again")),
        NotCounted::Store(why) => {
            // That the store does not answer is said by whoever looks after it, once.
            tracing::debug!(error = %why, "a use was not counted");
            CheckProblem::Unavailable(
                "the store does not answer now: send the same again, as nothing is counted or taken back twice"
                    .to_owned(),
            )
        }
    }
}
