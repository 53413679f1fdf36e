//! The summary of an organization, known by what each of its definitions says in it, without writing it again.

use super::lane::Lane;
use crate::evaluation::{
    object::{CONTENT_HASH, DesiredObject, ObjectContent, ObjectData, ObjectKey, Wish},
    plan::{MAX_DATA_BYTES, data_bytes},
};
use std::{collections::BTreeMap, sync::Arc};

/// What one definition has to say in the summary.
#[derive(Clone, Debug, Default, PartialEq)]
struct Contribution {
    /// Stands for it; None where it says nothing.
    hash: Option<(u128, u128)>,
    /// The size of the summary that says that alone.
    bytes: usize,
    /// It cannot be told, or is too large by itself.
    hindrance: Option<Hindrance>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Hindrance {
    Unknown,
    TooLarge,
}

/// What the summary holds, as far as one can be told from another.
#[derive(Debug)]
pub struct SummaryDigest {
    /// The summary that says nothing, in each namespace.
    empty: BTreeMap<ObjectKey, Arc<ObjectContent>>,
    /// What is to become of it in each namespace, as it was told last.
    desired: BTreeMap<ObjectKey, DesiredObject>,
    parts: Vec<Contribution>,
    /// The parts' hashes, added up.
    sum: (u128, u128),
    bytes: usize,
    saying: usize,
    unknown: usize,
    too_large: usize,
    has_changed: bool,
}

impl SummaryDigest {
    /// The digest of lanes, the first of which has no grants.
    #[must_use]
    pub fn new(lanes: &[Lane]) -> Self {
        let mut digest = Self {
            empty: lanes.first().map(summaries).unwrap_or_default(),
            desired: BTreeMap::new(),
            parts: vec![Contribution::default(); lanes.len()],
            sum: (0, 0),
            bytes: 0,
            saying: 0,
            unknown: 0,
            too_large: 0,
            has_changed: true,
        };
        for index in 0..lanes.len() {
            digest.update(lanes, index);
        }
        digest
    }

    /// Takes over what one lane has to say now.
    pub fn update(&mut self, lanes: &[Lane], index: usize) {
        let after = lanes.get(index).map(|lane| self.part(lane)).unwrap_or_default();
        let Some(slot) = self.parts.get_mut(index) else { return };
        let before = std::mem::replace(slot, after.clone());
        if before == after {
            return;
        }
        self.has_changed = true;
        if let Some((high, low)) = before.hash {
            self.sum = (self.sum.0.wrapping_sub(high), self.sum.1.wrapping_sub(low));
            self.bytes -= before.bytes;
            self.saying -= 1;
        }
        if let Some((high, low)) = after.hash {
            self.sum = (self.sum.0.wrapping_add(high), self.sum.1.wrapping_add(low));
            self.bytes += after.bytes;
            self.saying += 1;
        }
        self.unknown -= usize::from(before.hindrance == Some(Hindrance::Unknown));
        self.unknown += usize::from(after.hindrance == Some(Hindrance::Unknown));
        self.too_large -= usize::from(before.hindrance == Some(Hindrance::TooLarge));
        self.too_large += usize::from(after.hindrance == Some(Hindrance::TooLarge));
    }

    fn part(&self, lane: &Lane) -> Contribution {
        let Some((key, empty)) = self.empty.first_key_value() else { return Contribution::default() };
        let hindered = |hindrance| Contribution { hindrance: Some(hindrance), ..Contribution::default() };
        match lane.desired(key).map(|desired| &desired.wish) {
            Some(Wish::Write(content)) if hash(content) == hash(empty) => Contribution::default(),
            Some(Wish::Write(content)) => {
                Contribution { hash: hash(content), bytes: data_bytes(&content.data), hindrance: None }
            }
            Some(Wish::Refuse(_)) => hindered(Hindrance::TooLarge),
            Some(Wish::Keep) | None => hindered(Hindrance::Unknown),
        }
    }

    /// What is to become of the summary in each namespace, if that may be something else than when it was asked last. Its data
    /// is left out: the hash stands for it.
    #[must_use]
    pub fn news(&mut self) -> BTreeMap<ObjectKey, DesiredObject> {
        if !std::mem::take(&mut self.has_changed) {
            return BTreeMap::new();
        }
        let bytes = self.whole_bytes();
        let wish = |empty: &ObjectContent| match () {
            () if self.unknown > 0 => Wish::Keep,
            () if self.too_large > 0 || bytes > MAX_DATA_BYTES => Wish::Refuse(bytes),
            () => Wish::Write(Arc::new(self.content(empty))),
        };
        let desired = |empty| DesiredObject { grant: None, wish: wish(empty), is_retained: false };
        self.desired = self.empty.iter().map(|(key, empty)| (key.clone(), desired(empty))).collect();
        self.desired.clone()
    }

    /// What is to become of an object, if it is the summary.
    #[must_use]
    pub fn desired(&self, key: &ObjectKey) -> Option<&DesiredObject> {
        self.desired.get(key)
    }

    /// The bytes of the whole summary. Each part has those of the empty one, too; beyond these all add up, but for the comma
    /// between the flags of two. (That between two lines replaces a line end that both have.)
    fn whole_bytes(&self) -> usize {
        let empty = self.empty.values().next().map_or(0, |content| data_bytes(&content.data));
        let beside_first = self.saying.saturating_sub(1);
        self.bytes.saturating_sub(empty.saturating_mul(beside_first)).saturating_add(beside_first)
    }

    fn content(&self, empty: &ObjectContent) -> ObjectContent {
        let mut annotations = empty.annotations.clone();
        if self.saying > 0 {
            annotations.insert(CONTENT_HASH.to_owned(), format!("{:032x}{:032x}", self.sum.0, self.sum.1));
        }
        ObjectContent { labels: empty.labels.clone(), annotations, data: ObjectData::ConfigMap(BTreeMap::new()) }
    }
}

/// The summary of a lane in each namespace.
fn summaries(lane: &Lane) -> BTreeMap<ObjectKey, Arc<ObjectContent>> {
    let content = |(key, desired): (&ObjectKey, &DesiredObject)| match &desired.wish {
        Wish::Write(content) => Some((key.clone(), Arc::clone(content))),
        Wish::Keep | Wish::Refuse(_) => None,
    };
    lane.summaries().filter_map(content).collect()
}

/// The content hash in two halves.
fn hash(content: &ObjectContent) -> Option<(u128, u128)> {
    let text = content.annotations.get(CONTENT_HASH)?;
    let (high, low) = text.split_at_checked(32)?;
    Some((u128::from_str_radix(high, 16).ok()?, u128::from_str_radix(low, 16).ok()?))
}
