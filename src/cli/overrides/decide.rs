//! The course of a decision: what is there, what is against it, writing it, and what the operator makes of it.

use super::{
    exception::Exception,
    objections::{cancel, objection},
    registry::Registry,
};
use crate::{
    api::{
        ConditionStatus, EntitlementOverrideStatus, Phase,
        conditions::ACCEPTED,
        lifecycle::SourceStatus,
        override_decision::{DecidedOverride, OverrideDecisionSpec, Ruling},
    },
    cli::{
        cluster::{ClusterError, runtime},
        completion::names::overrides,
        connection::ConnectionArguments,
        grant::standing,
        offline::{namespace, this_second},
        outcome::{CommandFailure, Outcome},
        print, say,
        text::on_one_line,
    },
};
use clap::Args;
use clap_complete::ArgValueCompleter;
use std::time::{Duration, Instant};

/// The longest comment that the API server takes.
const MOST_OF_COMMENT: usize = 1024;
/// How long is waited between two looks at what the operator has to judge.
const PAUSE: Duration = Duration::from_millis(200);

/// Approves an override, in your own name and with your own rights: writes an OverrideDecision
///
/// Says first what the override gives to whom, until when, who asks for it, and why; then what the operator makes of your
/// decision. Whoever asked for an override cannot approve it, nor can a service account. The first decision of each person counts,
/// for good.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator approve acme-move
  entitlement-operator approve acme-move --comment 'agreed with sales'

It takes the verb approve on the override's definition, and create on overridedecisions in its namespace: the ClusterRole \
entitlements-approver has both. Whether you may: kubectl auth can-i approve entitlementdefinitions.entitlements.dev/DEFINITION

Exit codes: 0 it counts, 1 it would not, or was refused, or the operator did not judge it in time, 2 usage, no such override, or a \
cluster that cannot be looked at.")]
pub struct ApproveArguments {
    #[command(flatten)]
    decision: DecisionArguments,
}

/// Denies an override, in your own name and with your own rights: writes an OverrideDecision
///
/// Says first what the override would give to whom, until when, who asks for it, and why. One denial is enough, and final, as long as
/// the override is not approved.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator deny acme-move
  entitlement-operator deny acme-move --comment 'there is room in their plan'

It takes the same rights as approve. To take back what is approved already, cancel the override: \
kubectl patch eovr NAME --namespace NAMESPACE --type merge --patch '{\"spec\":{\"cancelled\":true}}'

Exit codes: 0 it is denied, 1 it is not, or that was refused, or the operator did not judge it in time, 2 usage, no such override, or \
a cluster that cannot be looked at.")]
pub struct DenyArguments {
    #[command(flatten)]
    decision: DecisionArguments,
}

/// Which override, and why.
#[derive(Debug, Args)]
struct DecisionArguments {
    /// The override: its name, or NAMESPACE/NAME
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(overrides))]
    called: String,
    /// Why, for people: in the decision
    #[arg(long, value_name = "TEXT", value_parser = comment)]
    comment: Option<String>,
    /// The namespace of the override [default: the only one that has it, or entitlements]
    #[arg(short, long, value_name = "NAMESPACE", value_parser = namespace)]
    namespace: Option<String>,
    /// How many seconds the operator's judgement is waited for
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=3600))]
    wait: u32,
    /// Does not wait for the operator's judgement
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// Reads a comment.
fn comment(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if length > MOST_OF_COMMENT {
        return Err(format!("it has {length} characters, and may have {MOST_OF_COMMENT}"));
    }
    Ok(text.to_owned())
}

/// Approves an override.
pub fn approve(arguments: &ApproveArguments) -> Result<Outcome, CommandFailure> {
    arguments.decision.make(Ruling::Approve)
}

/// Denies an override.
pub fn deny(arguments: &DenyArguments) -> Result<Outcome, CommandFailure> {
    arguments.decision.make(Ruling::Deny)
}

impl DecisionArguments {
    fn make(&self, ruling: Ruling) -> Result<Outcome, CommandFailure> {
        let runtime = runtime().map_err(ClusterError::from)?;
        runtime.block_on(async {
            let registry = Registry::open(&self.connection.connection()).await?;
            let exception = registry.find(&self.called, self.namespace.as_deref()).await?;
            if let Some(objection) = objection(&exception, &registry.user) {
                return Err(CommandFailure::Impossible(objection));
            }
            tell(exception.told(this_second()))?;
            if let Some(warning) = refused_besides(&exception).filter(|_| ruling == Ruling::Approve) {
                say(&format!("warning: the operator refuses it for another reason, too, and your approval changes nothing of that: {warning}"));
            }
            let made = registry.decide(&exception, self.spec(&exception, &registry.user, ruling)).await?;
            let verb = match ruling {
                Ruling::Approve => "approve",
                Ruling::Deny => "deny",
            };
            tell([format!("You, {}, {verb} it: OverrideDecision {}/{made} is made.", registry.user, exception.id.namespace)])?;
            if self.no_wait {
                return Ok(Outcome::Valid);
            }
            self.judged(&registry, &exception, ruling).await
        })
    }

    fn spec(&self, exception: &Exception, user: &str, ruling: Ruling) -> OverrideDecisionSpec {
        OverrideDecisionSpec {
            override_: DecidedOverride {
                name: exception.id.name.to_string(),
                uid: exception.grant.age.uid.to_string(),
            },
            definition: exception.object.spec.definition.clone(),
            decision: ruling,
            comment: self.comment.clone(),
            decided_by: user.to_owned(),
        }
    }

    /// Waits until the operator has judged the decision, and says what it makes of it.
    async fn judged(
        &self,
        registry: &Registry,
        exception: &Exception,
        ruling: Ruling,
    ) -> Result<Outcome, CommandFailure> {
        let started = Instant::now();
        let patience = Duration::from_secs(self.wait.into());
        let before = exception.object.status.as_ref().and_then(|status| status.approvals.clone());
        let is_decisive = exception.is_decided_by(ruling);
        while started.elapsed() < patience {
            let now = registry.again(exception).await.and_then(|one| one.status);
            if let Some(status) = now.filter(|status| is_judged(status, before.as_deref(), is_decisive)) {
                return verdict(exception, &status, ruling);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let id = &exception.id;
        Err(CommandFailure::Impossible(format!(
            "nothing is seen of the operator's judgement within {} seconds: is it at work, and may you look at overrides? kubectl get eovr -n {} {}",
            self.wait, id.namespace, id.name
        )))
    }
}

/// Whether the operator has taken one more decision into account.
fn is_judged(status: &EntitlementOverrideStatus, before: Option<&str>, is_decisive: bool) -> bool {
    let is_settled = status.accepted.is_some() || status.denied.is_some() || status.expired.is_some();
    let is_counted = status.approvals.is_some() && status.approvals.as_deref() != before;
    is_settled || (is_counted && !(is_decisive && status.phase == Some(Phase::Requested)))
}

fn tell(sentences: impl IntoIterator<Item = String>) -> Result<(), CommandFailure> {
    let lines: String = sentences.into_iter().map(|sentence| on_one_line(&sentence) + "\n").collect();
    print(&lines).map_err(|error| CommandFailure::System { action: "standard output", error })
}

/// Why the operator refuses it, but for approvals.
fn refused_besides(exception: &Exception) -> Option<String> {
    exception.object.status.as_ref().and_then(refusal)
}

fn refusal(status: &EntitlementOverrideStatus) -> Option<String> {
    if status.phase != Some(Phase::Rejected) {
        return None;
    }
    let refused = status.conditions.iter().find(|one| one.type_ == ACCEPTED && one.status == ConditionStatus::False)?;
    Some(format!("{}: {}", refused.reason, refused.message))
}

/// What the operator makes of it.
fn verdict(
    exception: &Exception,
    status: &EntitlementOverrideStatus,
    ruling: Ruling,
) -> Result<Outcome, CommandFailure> {
    let id = &exception.id;
    if let Some(denied) = &status.denied {
        return match ruling {
            Ruling::Deny => tell([format!("{id} is denied, for good.")]).map(|()| Outcome::Valid),
            Ruling::Approve => Err(CommandFailure::Impossible(format!(
                "{id} is denied, by {}, so your approval changes nothing: ask for another if it is needed after all",
                denied.by
            ))),
        };
    }
    if status.expired.is_some() {
        return Err(CommandFailure::Impossible(format!(
            "{id} was not approved in time, so your decision changes nothing: ask for another if it is needed after all"
        )));
    }
    let standing = standing(status.lifecycle(), exception.zone);
    if let Some(accepted) = &status.accepted {
        let by = accepted.by.join(", ");
        return match ruling {
            Ruling::Approve => tell([format!("{id} is approved, by {by}: {standing}.")]).map(|()| Outcome::Valid),
            Ruling::Deny => Err(CommandFailure::Impossible(format!(
                "{id} was approved before, by {by}, so your denial changes nothing: {}",
                cancel(exception)
            ))),
        };
    }
    if let Some(refusal) = refusal(status) {
        return Err(CommandFailure::Impossible(format!("{id} is refused all the same: {refusal}")));
    }
    let tally = status.approvals.clone().unwrap_or_default();
    let missing =
        tally.split_once('/').and_then(|(given, needed)| needed.parse::<u32>().ok()?.checked_sub(given.parse().ok()?));
    let missing = match missing {
        Some(1) => "1 more approval is needed, by somebody else".to_owned(),
        Some(missing) if missing > 1 => format!("{missing} more approvals are needed, by others"),
        _ => standing,
    };
    tell([format!("{id} has {tally} approvals: {missing}.")]).map(|()| Outcome::Valid)
}
