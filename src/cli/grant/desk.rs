//! What is said, and in which order: what is there, the manifest, what it brings, and the result.

use super::{
    arguments::DeskArguments,
    preview::{Preview, held, standing},
    writer::{ClusterWriter, Refused, WriteOutcome},
};
use crate::{
    api::{
        Condition, ConditionStatus, Phase,
        conditions::{ACCEPTED, FACETS_VALID, READY},
    },
    cli::{
        cluster::{ClusterError, runtime},
        manifests::Manifests,
        offline::{Examination, gather, look_for},
        outcome::{CommandFailure, Outcome},
        print, say,
    },
    core::{
        calendar::{Instant, Tz},
        source::SourceId,
    },
    offline::{EntitlementKind, Status, Subject, When},
};
use serde_json::Value;

/// Where somebody asks for something.
pub struct Desk<'a> {
    /// Where the grants are, and whether anything is written.
    pub arguments: &'a DeskArguments,
}

/// What is there.
pub struct There {
    /// The objects.
    pub manifests: Manifests,
    /// The moment that is looked at.
    pub when: When,
}

impl There {
    /// The moment that is looked at, where an organization is.
    pub fn now(&self, organization: &str) -> Instant {
        let mut zones = self.manifests.inventory.zones();
        let zone = zones.find(|(name, _)| *name == organization).map_or(Tz::UTC, |(_, zone)| zone);
        self.when.first(zone)
    }
}

/// What is to become of what is asked for.
pub enum Proposed {
    /// It is so already; a sentence.
    Nothing(String),
    /// Something is written.
    Write(Write),
}

/// What is written.
pub struct Write {
    /// The grant or subscription.
    pub id: SourceId,
    /// Its organization.
    pub organization: String,
    /// The definition of a grant.
    pub definition: Option<String>,
    /// The whole manifest.
    pub manifest: Value,
    /// The same as a text.
    pub text: String,
    /// How it differs from what is there; absent where it is new.
    pub change: Option<ManifestDifference>,
    /// What has to be known besides, in sentences.
    pub remarks: Vec<String>,
}

/// How a manifest differs from what is there.
pub struct ManifestDifference {
    /// As a merge patch.
    pub patch: Value,
    /// The version that it belongs to.
    pub resource_version: String,
}

impl From<Refused> for CommandFailure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Cluster(error) => Self::Cluster(error),
            refused => Self::Impossible(refused.to_string()),
        }
    }
}

impl Desk<'_> {
    /// Looks at what is there, says what comes of what is asked for, and does it where that is asked for, too. What the
    /// cluster refuses is the outer error, so that it can be tried again.
    pub fn go(
        &self,
        propose: impl Fn(&There) -> Result<Proposed, CommandFailure>,
    ) -> Result<Result<Outcome, CommandFailure>, Refused> {
        match self.prepare(propose) {
            Err(failure) => Ok(Err(failure)),
            Ok(Prepared::Done(outcome)) => Ok(Ok(outcome)),
            Ok(Prepared::Apply(write, zone)) => self.apply(&write, zone),
        }
    }

    fn prepare(
        &self,
        propose: impl Fn(&There) -> Result<Proposed, CommandFailure>,
    ) -> Result<Prepared, CommandFailure> {
        let when = self.arguments.moment.moment();
        let examination = Examination::of_reading(gather(&self.arguments.source(), when)?);
        examination.say();
        let outcome = examination.outcome();
        if outcome == Outcome::Unreadable {
            return Ok(Prepared::Done(outcome));
        }
        let mut there = There { manifests: examination.manifests, when };
        let write = match propose(&there)? {
            Proposed::Nothing(sentence) => {
                say(&format!("{sentence}: there is nothing to do"));
                return Ok(Prepared::Done(Outcome::Valid));
            }
            Proposed::Write(write) => write,
        };
        self.look_for_secrets(&mut there, &write)?;
        let preview = Preview::of(&there.manifests, &write.id, &write.organization, &write.text, when)?;
        if !preview.errors.is_empty() {
            refuse(&there, &write, &preview);
            return Ok(Prepared::Done(Outcome::Refused));
        }
        if self.arguments.apply {
            tell(&write, &preview);
            return Ok(Prepared::Apply(Box::new(write), preview.zone));
        }
        print_manifest(&write)?;
        tell(&write, &preview);
        say(self.arguments.advice());
        Ok(Prepared::Done(Outcome::Valid))
    }

    /// What is to be written may take values from Secrets that nothing has named so far.
    fn look_for_secrets(&self, there: &mut There, write: &Write) -> Result<(), CommandFailure> {
        let inventory = &mut there.manifests.inventory;
        let mut after = inventory.clone();
        if after.add(Subject::source(&write.id).kind, &write.manifest).is_err() {
            // It is read again, and said to be wrong, where it is looked at.
            return Ok(());
        }
        let wanted = after.sources_wanted_since(inventory);
        look_for(&self.arguments.source(), wanted, inventory).map(drop)
    }

    fn apply(&self, write: &Write, zone: Tz) -> Result<Result<Outcome, CommandFailure>, Refused> {
        let runtime = runtime().map_err(ClusterError::from)?;
        runtime.block_on(async {
            let writer = ClusterWriter::new(&self.arguments.connection()).await?;
            let id = &write.id;
            let (done, written) = match &write.change {
                None => ("made", writer.create(id, &write.manifest).await),
                Some(ManifestDifference { patch, resource_version }) => {
                    ("changed", writer.change(id, patch, resource_version).await)
                }
            };
            let WriteOutcome { object, warnings } = match written {
                Err(refused @ Refused::Forbidden(..)) => {
                    // Somebody else may apply it.
                    return print_manifest(write).map_or_else(|failure| Ok(Err(failure)), |()| Err(refused));
                }
                written => written?,
            };
            // Whatever becomes of standard output: it is done.
            let printed = print_manifest(write);
            for warning in warnings {
                say(&format!("warning: {warning}"));
            }
            let Some(patience) = self.arguments.patience() else {
                say(&format!("{id} is {done}."));
                return Ok(printed.map(|()| Outcome::Valid));
            };
            let Some(judged) = writer.judged(id, &object, patience).await else {
                let kind = Subject::source(id).kind;
                let short = if kind == EntitlementKind::EntitlementSubscription { "esub" } else { "ent" };
                return Ok(Err(CommandFailure::Impossible(format!(
                    "{id} is {done}, but nothing is seen of the operator's judgement within {} seconds: is it at work, and may you look at {}s? kubectl get {short} -n {} {}",
                    patience.as_secs(),
                    id.kind.noun(),
                    id.namespace,
                    id.name
                ))));
            };
            let outcome = verdict(id, done, &judged, zone);
            Ok(printed.map(|()| outcome))
        })
    }
}

/// A Draft is checked, and what is wrong with it is no error.
const AS_A_DRAFT: &str = "Activated as it is, it would be refused: ";

fn print_manifest(write: &Write) -> Result<(), CommandFailure> {
    print(&write.text).map_err(|error| CommandFailure::System { action: "standard output", error })
}

enum Prepared {
    Done(Outcome),
    Apply(Box<Write>, Tz),
}

/// Says why it is not done.
fn refuse(there: &There, write: &Write, preview: &Preview) {
    say(&format!("{} would be refused, so it is neither printed nor made:", write.id));
    for error in &preview.errors {
        say(&format!("  {error}"));
    }
    if preview.refusal.as_deref() != Some("Duplicate") {
        return;
    }
    let Some(definition) = &write.definition else { return };
    let held = held(&there.manifests, &write.organization, definition, there.when);
    if let Some(id) = held.first() {
        say(&format!(
            "It is held already by {id}: extend that one (extend {} --to DATE), follow it (--renews {}), or let the definition allow several (allowMultiple).",
            id.name, id.name
        ));
    }
}

fn tell(write: &Write, preview: &Preview) {
    for remark in &write.remarks {
        say(&format!("note: {remark}"));
    }
    for warning in &preview.warnings {
        say(&format!("warning: {warning}"));
    }
    let zone = preview.zone.name();
    let organization = &write.organization;
    if preview.table.is_empty() {
        say(&format!("{organization} gets nothing else than now by this."));
    } else {
        say(&format!("What {organization} gets otherwise (times of {zone}):"));
        say(preview.table.trim_end());
    }
    if let Some(status) = preview.status.as_ref().and_then(Status::lifecycle) {
        say(&format!("{} is then {}.", preview.id, standing(status, preview.zone)));
    }
    for flaw in &preview.flaws {
        say(&format!("{AS_A_DRAFT}{flaw}"));
    }
}

/// Says what the operator makes of it.
fn verdict(id: &SourceId, done: &str, status: &Status, zone: Tz) -> Outcome {
    let Some(status) = status.lifecycle() else { return Outcome::Refused };
    let failed = |type_: &str| {
        let is_failed = |one: &&Condition| one.type_ == type_ && one.status == ConditionStatus::False;
        status.conditions.iter().find(is_failed)
    };
    let refusal = failed(ACCEPTED).or_else(|| failed(FACETS_VALID));
    if let (Some(refusal), Some(Phase::Draft)) = (refusal, status.phase) {
        say(&format!("{id} is {done}: {}.", standing(status, zone)));
        say(&format!("{AS_A_DRAFT}{}: {}", refusal.reason, refusal.message));
        return Outcome::Valid;
    }
    if let Some(refusal) = refusal {
        say(&format!("{id} is {done}, but the operator refuses it: {}: {}", refusal.reason, refusal.message));
        return Outcome::Refused;
    }
    say(&format!("{id} is {done}: {}.", standing(status, zone)));
    if let Some(trouble) = failed(READY) {
        say(&format!("Not all is done yet: {}: {}", trouble.reason, trouble.message));
    }
    Outcome::Valid
}
