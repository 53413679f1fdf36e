//! One override with what it gives, in sentences.

use super::registry::id;
use crate::{
    api::{EntitlementDefinition, EntitlementOverride, Organization, override_decision::Ruling},
    cli::{
        moment::{relative, shown},
        timeline::source_name,
    },
    core::{
        approval::{Approval, Approvals, CountedRequest, ExceptionRequest, Requirements, StatedDecision},
        calendar::{Bound, Instant, Moment, Nominal, Tz, parse_zone},
        facets::{each_value, joined},
        grant::Grant,
        source::{SourceId, overrides},
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// More settings are counted.
const MOST_NAMED: usize = 5;

/// An override, with what is known of it.
pub struct Exception {
    /// Which one.
    pub id: SourceId,
    /// As the API server has it.
    pub object: EntitlementOverride,
    /// The grant that it would yield.
    pub grant: Grant,
    /// Where its organization is; UTC where that is not known.
    pub zone: Tz,
    organization: String,
    definition: Option<EntitlementDefinition>,
    /// Absent where they may not be seen.
    decisions: Option<Vec<StatedDecision>>,
    request: Arc<ExceptionRequest>,
}

impl Exception {
    /// With what may be seen of what it names.
    pub fn of(
        object: EntitlementOverride,
        organization: Option<Organization>,
        definition: Option<EntitlementDefinition>,
        decisions: Option<Vec<StatedDecision>>,
    ) -> Self {
        let grant = overrides::grant(&object);
        let zone = organization.as_ref().and_then(|one| parse_zone(&one.spec.time_zone).ok()).unwrap_or(Tz::UTC);
        let name = &object.spec.organization;
        let shown = organization.and_then(|one| one.spec.display_name).filter(|shown| !shown.is_empty());
        let organization = shown.map_or_else(|| name.clone(), |shown| format!("{name} ({shown})"));
        let request = grant.request.clone().unwrap_or_else(|| {
            let nothing: Arc<str> = Arc::default();
            Arc::new(ExceptionRequest { by: Arc::clone(&nothing), restored_by: None, reason: nothing, ticket: None })
        });
        Self { id: id(&object.metadata), object, grant, zone, organization, definition, decisions, request }
    }

    /// Who asks, and why.
    pub fn request(&self) -> &ExceptionRequest {
        &self.request
    }

    /// What somebody decided on it before.
    pub fn decision_of(&self, user: &str) -> Option<&StatedDecision> {
        self.own_decisions().filter(|one| *one.by == *user).min_by_key(|one| (one.created, one.ruling))
    }

    fn own_decisions(&self) -> impl Iterator<Item = &StatedDecision> {
        let uid = &self.grant.age.uid;
        let is_own =
            move |one: &&StatedDecision| one.override_uid == *uid && one.definition == self.grant.id.definition;
        self.decisions.iter().flatten().filter(is_own)
    }

    /// How many approvals it lacks, as far as that is known.
    pub fn missing(&self) -> Option<u32> {
        let (given, needed) = self.tally()?;
        Some(needed.saturating_sub(given))
    }

    /// How many approvals it has, and needs: by its decisions, else as the operator says.
    pub fn tally(&self) -> Option<(u32, u32)> {
        let counted = self.counted().map(|approval| approval.tally());
        let told = || self.object.status.as_ref()?.approvals.clone();
        let tally = counted.or_else(told)?;
        let (given, needed) = tally.split_once('/')?;
        Some((given.parse().ok()?, needed.parse().ok()?))
    }

    fn counted(&self) -> Option<Approval> {
        let definition = self.definition.as_ref()?;
        let requirements = Requirements::read(&definition.spec.overrides).ok()?;
        let decisions: Arc<[StatedDecision]> =
            self.decisions.as_ref().map(|_| self.own_decisions().cloned().collect())?;
        let uid = &self.grant.age.uid;
        let approvals = Approvals { decisions: BTreeMap::from([(Arc::clone(uid), decisions)]), ..Approvals::default() };
        let counting = CountedRequest {
            request: &self.request,
            namespace: &self.id.namespace,
            uid,
            definition: &self.grant.id.definition,
            created: self.grant.created,
            needed: requirements.approvals_of(&self.request),
            deadline: Bound::Never,
        };
        Some(approvals.count(&counting, Instant::MAX_UTC))
    }

    /// What it means, a sentence for each thing.
    pub fn told(&self, now: Instant) -> Vec<String> {
        let name = source_name(&self.id);
        let spec = &self.object.spec;
        let mut told = vec![format!("override {name} {}, {}{}.", self.gives(), self.lasts(now), self.settings())];
        let ticket = spec.ticket.as_ref().map(|ticket| format!(" (ticket {ticket})")).unwrap_or_default();
        let asked = shown(self.grant.created, self.zone);
        told.push(format!("Asked for by {} on {asked}: {}{ticket}", spec.requested_by, spec.reason));
        told.extend(
            self.request.restored_by.as_ref().map(|by| format!("Restored by {by}, who cannot decide it either.")),
        );
        told.extend(self.object.spec.start.is_none().then(|| "It is in force from its approval on.".to_owned()));
        told.extend(self.decided());
        told
    }

    /// `adds 10 seats of seats (Seats) to what acme (Acme GmbH) holds`, `gives acme premium-support`.
    fn gives(&self) -> String {
        let spec = &self.object.spec;
        let organization = &self.organization;
        let definition = self.definition.as_ref();
        let shown = definition.and_then(|one| one.spec.display_name.as_ref()).filter(|shown| !shown.is_empty());
        let shown = shown.map(|shown| format!(" ({shown})")).unwrap_or_default();
        let name = &spec.definition;
        let Some(Ok(amount)) = &self.grant.amount else { return format!("gives {organization} {name}{shown}") };
        let unit = definition.and_then(|one| one.spec.unit.as_ref()).map(|unit| format!("{unit} ")).unwrap_or_default();
        format!("adds {amount} {unit}of {name}{shown} to what {organization} holds")
    }

    /// `from 2026-12-01 00:00 CET until 2027-01-01 00:00 CET (in 35 days)`
    fn lasts(&self, now: Instant) -> String {
        let zone = self.zone;
        let start = self.grant.start.as_ref().and_then(|start| start.as_ref().ok());
        let start = start.map(|start| format!("from {} ", shown(Nominal::of_start(*start, zone).instant(), zone)));
        let end = self.grant.end.as_ref().and_then(|end| end.as_ref().ok()).map(|end| end_of(*end, zone));
        let end = match end.and_then(Bound::at) {
            Some(end) => format!("until {} ({})", shown(end, zone), relative(end, now, zone)),
            None => format!("until {}", self.object.spec.end),
        };
        format!("{}{end}", start.unwrap_or_default())
    }

    fn settings(&self) -> String {
        let mut named = Vec::new();
        for (facet, fields) in &self.object.spec.facets {
            each_value(fields, &mut |path, value| named.push(format!("{facet}.{} = {value}", joined(path))));
        }
        let others = named.len().saturating_sub(MOST_NAMED);
        named.truncate(MOST_NAMED);
        if others > 0 {
            named.push(format!("{others} more"));
        }
        if named.is_empty() { String::new() } else { format!(", with {}", named.join(", ")) }
    }

    /// How far it is, before one more decides.
    fn decided(&self) -> Option<String> {
        let (given, needed) = self.tally()?;
        let approvers = self.counted().map(|approval| approval.approvers()).unwrap_or_default();
        let approvers: Vec<&str> = approvers.iter().map(AsRef::as_ref).collect();
        let by = if approvers.is_empty() { String::new() } else { format!(", by {}", approvers.join(", ")) };
        Some(match given {
            0 if needed == 1 => "It needs one approval.".to_owned(),
            0 => format!("It needs {needed} approvals, and has none yet."),
            _ => format!("It has {given} of {needed} approvals{by}."),
        })
    }

    /// Whether a decision more decides it, as far as that is known.
    pub fn is_decided_by(&self, ruling: Ruling) -> bool {
        ruling == Ruling::Deny || self.missing().is_some_and(|missing| missing <= 1)
    }
}

fn end_of(end: Moment, zone: Tz) -> Bound {
    Nominal::of_end(end, zone).instant()
}
