//! What the renewal of a subscription states: the plan that it comes to, and the entries that are not over.

use super::{
    Unclear,
    renewal::{Renewal, RenewedSource, subscription_of},
};
use crate::{
    api::entitlement_subscription::{EntryList, EntryRecord},
    core::calendar::{Instant, Moment, Nominal},
    evaluation::subscriptions::{EntryNote, SubscriptionDecision},
    offline::{EntitlementKind, Inventory},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The lists whose entries may end before the subscription does.
const DATED: [EntryList; 3] = [EntryList::AddOns, EntryList::Add, EntryList::Remove];
/// What a record says of an entry, and its absence says as well.
const RECORDED: [&str; 4] = ["quantity", "amount", "start", "end"];

/// Writes it into the manifest of a renewal to a plan that begins then.
pub fn state(renewal: &mut Renewal, renewed: &RenewedSource, plan: &str, begin: Instant) {
    let Renewal { manifest, remarks, .. } = renewal;
    let spec = &mut manifest["spec"];
    spec["plan"] = plan.into();
    if let Some(agreement) = renewed.written("agreement").filter(|agreement| *agreement != "") {
        spec["agreement"] = agreement.clone();
    }
    for list in DATED {
        let written = renewed.written(list.as_str()).and_then(Value::as_array);
        let (over, lasting): (Vec<&Value>, Vec<&Value>) =
            written.into_iter().flatten().partition(|entry| is_over(entry, renewed, begin));
        remarks.extend(over.iter().map(|entry| {
            let (name, end) = (text(entry, "name"), text(entry, "end"));
            format!("{} {name}: left out, as it is over when the renewal begins: its end is {end}", list.as_str())
        }));
        if !lasting.is_empty() {
            spec[list.as_str()] = json!(lasting);
        }
    }
    let configure = EntryList::Configure.as_str();
    if let Some(entries) = renewed.written(configure).filter(|entries| **entries != json!([])) {
        spec[configure] = entries.clone();
    }
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether nothing is left of an entry when the renewal begins.
fn is_over(entry: &Value, renewed: &RenewedSource, begin: Instant) -> bool {
    let end = entry.get("end").and_then(Value::as_str).and_then(|end| end.parse::<Moment>().ok());
    end.is_some_and(|end| Nominal::of_end(end, renewed.zone).instant().has_come(begin))
}

impl Inventory {
    /// The plan that a renewal is to: the one that is asked for, or else the one that the renewed one comes to.
    pub(super) fn renewal_plan(
        &self,
        renewed: &RenewedSource,
        decided: &SubscriptionDecision,
        wanted: Option<&str>,
    ) -> Result<Arc<str>, Unclear> {
        let last = decided.last_plan();
        let Some(wanted) = wanted.filter(|wanted| **wanted != *last) else { return Ok(last) };
        self.check_plan(wanted)?;
        let plans = self.plans(&self.catalogue());
        let serving = |name: &str| plans.get(name)?.serving.as_ref();
        // Of a plan that was never valid the evaluation says what is wrong.
        let Some(plan) = serving(wanted) else { return Ok(wanted.into()) };
        let id = renewed.id;
        if plan.retired {
            return Err(Unclear::Impossible(format!(
                "plan {wanted} is retired, and sold no longer: choose another, or leave out --plan to renew {last}"
            )));
        }
        let of_spec = serving(&decided.subscription.plan).and_then(|plan| plan.line());
        let lines = [decided.agreed.line.as_ref(), of_spec];
        let Some(line) = lines.into_iter().flatten().next() else {
            return Err(Unclear::Impossible(format!(
                "{id} is to plan {last}, which a client may have several times and changes to no other: leave out --plan, or make a new subscription"
            )));
        };
        match plan.line() {
            Some(of_plan) if lines.contains(&Some(of_plan)) => Ok(wanted.into()),
            Some(of_plan) => Err(Unclear::Impossible(format!(
                "plan {wanted} is of line {of_plan}, and {id} of line {line}: renew it with a plan of the same product, or make a new subscription"
            ))),
            None => Err(Unclear::Impossible(format!(
                "plan {wanted} is of no line, as a client may have it several times, and {id} of line {line}: renew it with a plan of the same product, or make a new subscription"
            ))),
        }
    }

    /// Entries that would not count in a renewal do not stand in it; one of which a recorded form counts stands in that.
    pub(super) fn drop_ignored(&self, renewal: &mut Renewal, now: Instant) {
        let Renewal { id, manifest, remarks } = renewal;
        let mut after = self.clone();
        // What cannot be read is told where the whole is looked at.
        if after.add(EntitlementKind::EntitlementSubscription, manifest).is_err() {
            return;
        }
        let Some(decision) = after.decided_of(id, now) else { return };
        let Some(decided) = subscription_of(&decision, id) else { return };
        let recorded = decided.record().map(|record| record.entries).unwrap_or_default();
        let ignored: Vec<&EntryNote> = decided.notes.iter().filter(|note| note.is_ignored).collect();
        let spec = &mut manifest["spec"];
        for note in &ignored {
            let is_its = |one: &&EntryRecord| one.list == note.list && *one.name == *note.name;
            let record = recorded.iter().find(is_its).and_then(|record| serde_json::to_value(record).ok());
            let entry = spec.get_mut(note.list.as_str()).and_then(|entries| entries.get_mut(note.index));
            let Some(entry) = entry else { continue };
            let (place, why) = (format!("{} {}", note.list.as_str(), note.name), &note.message);
            if let Some(record) = record {
                remarks.push(format!("{place}: as it counts now, and not as it is written: {why}"));
                restore(entry, &record);
            } else {
                remarks.push(format!("{place}: left out, as it would not count: {why}"));
                *entry = Value::Null;
            }
        }
        for list in DATED {
            let Some(entries) = spec.get_mut(list.as_str()).and_then(Value::as_array_mut) else { continue };
            entries.retain(|entry| !entry.is_null());
            if entries.is_empty()
                && let Some(fields) = spec.as_object_mut()
            {
                fields.remove(list.as_str());
            }
        }
    }
}

/// Puts what was recorded of an entry in the place of what is written.
fn restore(entry: &mut Value, record: &Value) {
    let (Some(fields), Some(recorded)) = (entry.as_object_mut(), record.as_object()) else { return };
    for field in RECORDED {
        fields.remove(field);
    }
    let is_of_entry = |field: &&String| *field != "list" && *field != "name";
    for (field, value) in recorded.iter().filter(|(field, _)| is_of_entry(field)) {
        fields.insert(field.clone(), value.clone());
    }
}
