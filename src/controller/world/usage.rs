//! Reports of usage. Of one that its organization does not let be made in its namespace, no more is kept than that it is there, so
//! that strangers cannot fill the memory.

use super::{
    World,
    kinds::News,
    store::{Identity, Put, PutUnreadable, Reading, Store},
};
use crate::{
    api::{EntitlementUsage, EntitlementUsageStatus},
    controller::work::WorkItem,
    core::usage::report::{ReportId, StatedReport},
    evaluation::usage_report::{ReportPlace, ReportSurroundings},
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// A report as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeReport {
    /// What it states.
    pub stated: Arc<StatedReport>,
    /// Its status.
    pub status: Option<EntitlementUsageStatus>,
}

/// What is kept of a report.
#[derive(Clone, Debug)]
enum KeptReport {
    /// All of it.
    Whole(WholeReport),
    /// That it is there.
    Barred(BarredReport),
}

/// What is kept of a report that its organization does not let be made where it is.
#[derive(Clone, Debug)]
struct BarredReport {
    organization: Arc<str>,
    definition: Arc<str>,
    generation: i64,
}

/// What is to be done about a report.
#[derive(Debug)]
pub enum ReportWork {
    /// Nothing now.
    Nothing,
    /// It is only known to be there, and has to be read again. The UID that it has.
    Read(Arc<str>),
    /// To say what counts of it.
    Judge(Box<ReportView>),
}

/// All that is read to say what counts of a report.
#[derive(Debug)]
pub struct ReportView {
    /// The report.
    pub report: WholeReport,
    /// Which state of which object it is.
    pub identity: Identity,
    /// What it is judged by.
    pub around: ReportSurroundings,
}

/// What a change of a report changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct ReportChange {
    /// The organizations of which something else is reported.
    organizations: BTreeSet<Arc<str>>,
    /// Whether it is kept as a whole now; absent where nothing is left of it.
    is_whole: Option<bool>,
}

/// All reports of usage.
#[derive(Default)]
pub struct UsageReports {
    store: Store<ReportId, KeptReport>,
    by_organization: HashMap<Arc<str>, BTreeSet<ReportId>>,
    by_definition: HashMap<Arc<str>, BTreeSet<ReportId>>,
    by_namespace: HashMap<Arc<str>, BTreeSet<ReportId>>,
}

impl WholeReport {
    /// What is read of an object. `seen` is when this state of it was first seen.
    pub fn read(report: &EntitlementUsage, seen: crate::core::calendar::Instant) -> Reading<ReportId, Self> {
        let stated = Arc::new(StatedReport::read(report, seen));
        let (key, identity) = (stated.id.clone(), Identity::of(&report.metadata));
        Reading { key, identity, value: Self { stated, status: report.status.clone() } }
    }
}

impl KeptReport {
    fn of(report: WholeReport, is_allowed: bool) -> Self {
        if is_allowed { Self::Whole(report) } else { Self::Barred(BarredReport::of(&report.stated)) }
    }

    fn whole(&self) -> Option<&WholeReport> {
        match self {
            Self::Whole(report) => Some(report),
            Self::Barred(_) => None,
        }
    }

    fn organization(&self) -> &Arc<str> {
        match self {
            Self::Whole(report) => &report.stated.organization,
            Self::Barred(report) => &report.organization,
        }
    }

    fn definition(&self) -> &Arc<str> {
        match self {
            Self::Whole(report) => &report.stated.definition,
            Self::Barred(report) => &report.definition,
        }
    }

    fn generation(&self) -> i64 {
        match self {
            Self::Whole(report) => report.stated.generation,
            Self::Barred(report) => report.generation,
        }
    }

    /// What is reported by it.
    fn counting(&self) -> Option<&StatedReport> {
        self.whole().map(|report| &*report.stated)
    }
}

impl BarredReport {
    fn of(stated: &StatedReport) -> Self {
        Self {
            organization: Arc::clone(&stated.organization),
            definition: Arc::clone(&stated.definition),
            generation: stated.generation,
        }
    }
}

impl UsageReports {
    /// A state of a report, from the watch or from an answer; None if it is not news.
    fn put(&mut self, report: Reading<ReportId, WholeReport>, is_allowed: bool) -> Option<ReportChange> {
        let Reading { key: id, identity, mut value } = report;
        let barred = if is_allowed { self.evict_barred(&id, &identity) } else { None };
        let known = self.store.get(&id).and_then(KeptReport::whole).map(|known| &known.stated);
        let same_object = self.store.identity(&id).is_some_and(|known| known.uid == identity.uid);
        // What was seen before is seen no later for an edit that changes nothing of it.
        if let Some(known) = known.filter(|known| same_object && known.says_the_same(&value.stated)) {
            let seen = known.seen;
            Arc::make_mut(&mut value.stated).seen = seen;
        }
        let after = KeptReport::of(value, is_allowed);
        let Put::Stored(before) = self.store.put(id.clone(), identity, after.clone()) else { return None };
        Some(self.replace(&id, before.or(barred).as_ref(), Some(&after)))
    }

    /// One that could not be read, and why. What was known of it stays.
    fn put_unreadable(&mut self, metadata: &ObjectMeta, why: String) -> Option<ReportChange> {
        let id = ReportId::of(metadata);
        match self.store.put_unreadable(&id, Identity::of(metadata), why) {
            PutUnreadable::Unknown(Some(before)) => Some(self.replace(&id, Some(&before), None)),
            _ => None,
        }
    }

    fn remove(&mut self, metadata: &ObjectMeta) -> Option<ReportChange> {
        let id = ReportId::of(metadata);
        let before = self.store.remove(&id, &Identity::of(metadata))?;
        Some(self.replace(&id, Some(&before), None))
    }

    fn forget(&mut self, id: &ReportId, uid: &Arc<str>) -> Option<ReportChange> {
        let before = self.store.forget(id, uid)?;
        Some(self.replace(id, Some(&before), None))
    }

    /// Its organization does not let a report be made where it is any more. None if it did not before.
    fn bar(&mut self, id: &ReportId) -> Option<ReportChange> {
        let before = self.store.get(id).filter(|kept| kept.whole().is_some())?.clone();
        let after = KeptReport::Barred(BarredReport::of(before.counting()?));
        *self.store.get_mut(id)? = after.clone();
        Some(self.replace(id, Some(&before), Some(&after)))
    }

    /// Only the existence of a barred report is known, so what an event says about the same state is news.
    fn evict_barred(&mut self, id: &ReportId, identity: &Identity) -> Option<KeptReport> {
        let is_barred = self.store.get(id).is_some_and(|kept| kept.whole().is_none());
        let is_current = self.store.identity(id).is_some_and(|known| known.version <= identity.version);
        if is_barred && is_current { self.store.evict(id) } else { None }
    }

    fn lose(&mut self, gone: Vec<(ReportId, Option<KeptReport>)>) -> Vec<ReportChange> {
        gone.into_iter().filter_map(|(id, known)| Some(self.replace(&id, Some(&known?), None))).collect()
    }

    fn replace(&mut self, id: &ReportId, before: Option<&KeptReport>, after: Option<&KeptReport>) -> ReportChange {
        if let Some(before) = before {
            unlink(&mut self.by_organization, before.organization(), id);
            unlink(&mut self.by_definition, before.definition(), id);
            unlink(&mut self.by_namespace, &id.namespace, id);
        }
        if let Some(after) = after {
            link(&mut self.by_organization, after.organization(), id);
            link(&mut self.by_definition, after.definition(), id);
            link(&mut self.by_namespace, &id.namespace, id);
        }
        let (said, says) = (before.and_then(KeptReport::counting), after.and_then(KeptReport::counting));
        let is_same = match (said, says) {
            (Some(said), Some(says)) => said.says_the_same(says),
            (None, None) => true,
            _ => false,
        };
        let concerned = said.into_iter().chain(says).filter(|_| !is_same);
        ReportChange {
            organizations: concerned.map(|report| Arc::clone(&report.organization)).collect(),
            is_whole: after.map(|after| after.whole().is_some()),
        }
    }

    /// Which object a report is, and the state of its spec.
    fn spec_state(&self, id: &ReportId) -> Option<(Arc<str>, i64)> {
        Some((Arc::clone(&self.store.identity(id)?.uid), self.store.get(id)?.generation()))
    }

    fn of_organization(&self, organization: &str) -> impl Iterator<Item = &ReportId> {
        self.by_organization.get(organization).into_iter().flatten()
    }
}

fn link(index: &mut HashMap<Arc<str>, BTreeSet<ReportId>>, key: &Arc<str>, id: &ReportId) {
    match index.get_mut(key) {
        Some(ids) => drop(ids.insert(id.clone())),
        None => drop(index.insert(Arc::clone(key), BTreeSet::from([id.clone()]))),
    }
}

fn unlink(index: &mut HashMap<Arc<str>, BTreeSet<ReportId>>, key: &str, id: &ReportId) {
    let Some(ids) = index.get_mut(key) else { return };
    ids.remove(id);
    if ids.is_empty() {
        index.remove(key);
    }
}

impl World {
    /// What is reported of the usage of an organization, by definition, as far as it is reported where that may be done.
    pub fn reports_of(&self, organization: &str) -> BTreeMap<Arc<str>, Vec<Arc<StatedReport>>> {
        let mut reports: BTreeMap<Arc<str>, Vec<Arc<StatedReport>>> = BTreeMap::new();
        for id in self.usage.of_organization(organization) {
            let Some(report) = self.usage.store.get(id).and_then(KeptReport::whole) else { continue };
            if self.namespace_facts(&id.namespace).tenant(&id.namespace).is_none() {
                reports.entry(Arc::clone(&report.stated.definition)).or_default().push(Arc::clone(&report.stated));
            }
        }
        reports
    }

    /// What is to be done about a report.
    pub fn report_work(&self, id: &ReportId) -> ReportWork {
        let (Some(kept), Some(identity)) = (self.usage.store.get(id), self.usage.store.identity(id)) else {
            return ReportWork::Nothing;
        };
        match kept {
            KeptReport::Barred(barred) if self.tenancy.may_report(&barred.organization, &id.namespace) => {
                ReportWork::Read(Arc::clone(&identity.uid))
            }
            KeptReport::Barred(_) => ReportWork::Nothing,
            KeptReport::Whole(report) => match self.report_surroundings(&report.stated) {
                Some(around) => {
                    let view = ReportView { report: report.clone(), identity: identity.clone(), around };
                    ReportWork::Judge(Box::new(view))
                }
                None => ReportWork::Nothing,
            },
        }
    }

    /// Whether there is something to say of a report that its organization does not let be made where it is. There is not while
    /// nothing is known of the organization.
    pub fn is_barred_report(&self, id: &ReportId) -> bool {
        let kept = self.usage.store.get(id).filter(|kept| kept.whole().is_none());
        kept.is_some_and(|kept| {
            let organization = kept.organization();
            !self.tenancy.may_report(organization, &id.namespace) && !self.tenancy.is_unreadable(organization)
        })
    }

    /// What a report is judged by. None while something of it is not known yet, which makes work of it once it is.
    pub fn report_surroundings(&self, report: &StatedReport) -> Option<ReportSurroundings> {
        let place = self.report_place(report)?;
        Some(ReportSurroundings { place, entry: self.catalogue.entry(&report.definition).ok()? })
    }

    /// What is known of where a report is. None where nothing is known of its organization.
    pub fn report_place(&self, report: &StatedReport) -> Option<ReportPlace> {
        let organization = &report.organization;
        (!self.tenancy.is_unreadable(organization)).then(|| ReportPlace {
            organization: self.tenancy.get(organization).cloned(),
            facts: self.namespace_facts(&report.id.namespace),
        })
    }

    pub(super) fn observe_report(&mut self, news: News<Reading<ReportId, WholeReport>>) {
        match news {
            News::ListBegins => self.usage.store.begin_list(),
            News::Changed(report) => {
                let id = report.key.clone();
                let spec = |world: &Self| world.usage.spec_state(&id);
                self.take_in(&WorkItem::UsageReport(id.clone()), spec, |world| world.put_report(report));
            }
            News::Listed(report) => self.put_report(report),
            // What was reported counts until it can be read again.
            News::Unreadable(metadata, why) => {
                let change = self.usage.put_unreadable(&metadata, why);
                self.changed_report(&ReportId::of(&metadata), change);
            }
            News::Gone(metadata) => {
                let change = self.usage.remove(&metadata);
                self.changed_report(&ReportId::of(&metadata), change);
            }
            News::ListEnds => {
                let gone = self.usage.store.finish_list();
                self.lose_reports(gone);
            }
        }
    }

    pub(super) fn begin_reports(&mut self) -> Vec<WorkItem> {
        let (whole, barred): (Vec<_>, Vec<_>) = self.usage.store.iter().partition(|(_, kept)| kept.whole().is_some());
        let barred: Vec<ReportId> = barred.into_iter().map(|(id, _)| id.clone()).collect();
        let whole = whole.into_iter().map(|(id, _)| WorkItem::UsageReport(id.clone())).collect();
        self.barred_reports.extend(barred);
        whole
    }

    pub(super) fn begin_reports_within(&mut self, namespace: &Arc<str>) {
        self.usage.store.begin_list_within(namespace);
    }

    pub(super) fn finish_reports_within(&mut self, namespace: &Arc<str>) {
        let gone = self.usage.store.finish_list_within(namespace);
        self.lose_reports(gone);
    }

    fn lose_reports(&mut self, gone: Vec<(ReportId, Option<KeptReport>)>) {
        for change in self.usage.lose(gone) {
            self.touch_organizations(change.organizations);
        }
    }

    pub(super) fn put_report(&mut self, report: Reading<ReportId, WholeReport>) {
        let id = report.key.clone();
        let is_allowed = self.tenancy.may_report(&report.value.stated.organization, &id.namespace);
        let change = self.usage.put(report, is_allowed);
        self.changed_report(&id, change);
    }

    fn changed_report(&mut self, id: &ReportId, change: Option<ReportChange>) {
        let Some(change) = change else { return };
        self.touch_organizations(change.organizations);
        match change.is_whole {
            Some(true) => {
                self.work.insert(WorkItem::UsageReport(id.clone()));
            }
            Some(false) => {
                self.barred_reports.insert(id.clone());
            }
            None => {}
        }
    }

    /// The answer to a write of a report's status.
    pub fn wrote_report(&mut self, report: Reading<ReportId, WholeReport>) {
        let id = report.key.clone();
        let before = self.usage.spec_state(&id);
        self.hear_of_report(&id, |world| {
            let is_allowed = world.tenancy.may_report(&report.value.stated.organization, &report.key.namespace);
            let change = world.usage.put(report, is_allowed);
            // Its own status is no reason to work again; a spec that came along with the answer is.
            if before != world.usage.spec_state(&id) {
                world.changed_report(&id, change);
            }
        });
    }

    /// A report was read again, which had this UID before; None if there is none.
    pub fn fetched_report(&mut self, id: &ReportId, uid: &Arc<str>, report: Option<Reading<ReportId, WholeReport>>) {
        if let Some(report) = report {
            self.hear_of_report(id, |world| world.put_report(report));
            return;
        }
        let change = self.usage.forget(id, uid);
        self.changed_report(id, change);
    }

    /// Takes in what an answer says of a report. It may be late: one that is known no more has gone since, and a list that is under
    /// way names those that are there.
    fn hear_of_report(&mut self, id: &ReportId, take_in: impl FnOnce(&mut Self)) {
        if self.usage.store.identity(id).is_none() {
            return;
        }
        let lists = self.usage.store.suspend_lists();
        take_in(self);
        self.usage.store.resume_lists(lists);
    }

    /// Reports of a definition may count otherwise.
    pub(super) fn touch_reports_of(&mut self, definition: &str) {
        let ids: Vec<ReportId> = self.usage.by_definition.get(definition).into_iter().flatten().cloned().collect();
        self.touch_reports(ids);
    }

    /// Reports in a namespace may count otherwise, as it is another's.
    pub(super) fn touch_reports_in(&mut self, namespace: &str) {
        let ids: Vec<ReportId> = self.usage.by_namespace.get(namespace).into_iter().flatten().cloned().collect();
        self.touch_reports(ids);
    }

    fn touch_reports(&mut self, ids: Vec<ReportId>) {
        for id in ids {
            let Some(report) = self.usage.store.get(&id).and_then(KeptReport::whole) else { continue };
            let organization = Arc::clone(&report.stated.organization);
            self.touch_organization(&organization);
            self.work.insert(WorkItem::UsageReport(id));
        }
    }

    /// An organization lets its usage be reported from other namespaces than before, or reckons in another time zone. What it does
    /// not allow any more is kept no longer as a whole; what it allows now is read again.
    pub(super) fn changed_reporting(&mut self, organization: &Arc<str>) {
        let ids: Vec<ReportId> = self.usage.of_organization(organization).cloned().collect();
        for id in ids {
            if self.tenancy.may_report(organization, &id.namespace) {
                self.work.insert(WorkItem::UsageReport(id));
                continue;
            }
            let change = self.usage.bar(&id);
            self.changed_report(&id, change);
            self.barred_reports.insert(id);
        }
    }
}
