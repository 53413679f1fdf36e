//! Which grant renews which.

use crate::core::{
    age::SourceAge,
    source::{SourceKind, stated::StatedSource},
};
use std::collections::HashMap;

/// Who renews whom in a group, by index. Where no grant of a group renews another, which is most often so, all of it is
/// empty.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    parent: Vec<Option<usize>>,
    /// Those that renew each one, oldest first.
    children: Vec<Vec<usize>>,
    cyclic: Vec<bool>,
    /// Every grant once, a parent before its children; a cycle is entered at any of its members.
    order: Vec<usize>,
}

impl Lineage {
    /// The lineage of grants of one definition and organization, or of other sources that may renew each other.
    #[must_use]
    pub fn of(grants: &[&StatedSource]) -> Self {
        let Some(parent) = parents(grants) else { return Self::default() };
        let mut children = vec![Vec::new(); grants.len()];
        for (child, parent) in parent.iter().enumerate() {
            if let Some(siblings) = parent.and_then(|parent| children.get_mut(parent)) {
                siblings.push(child);
            }
        }
        for siblings in &mut children {
            siblings.sort_by(|one, other| age(grants, *one).cmp(&age(grants, *other)));
        }
        let mut lineage =
            Self { cyclic: vec![false; grants.len()], order: Vec::with_capacity(grants.len()), parent, children };
        lineage.arrange();
        lineage
    }

    fn arrange(&mut self) {
        let mut reached = vec![false; self.parent.len()];
        for root in 0..self.parent.len() {
            if self.parent.get(root) == Some(&None) {
                self.descend(root, &mut reached);
            }
        }
        // What no root leads to is a cycle, or hangs on one.
        let mut walked = vec![false; self.parent.len()];
        for member in 0..self.parent.len() {
            if reached.get(member) == Some(&false) {
                let entry = self.mark_cycle(member, &mut walked);
                self.descend(entry, &mut reached);
            }
        }
    }

    fn descend(&mut self, root: usize, reached: &mut [bool]) {
        let mut waiting = vec![root];
        while let Some(next) = waiting.pop() {
            if !mark(reached, next) {
                continue;
            }
            self.order.push(next);
            waiting.extend(self.children.get(next).into_iter().flatten());
        }
    }

    /// Marks the cycle that the member's parents lead into, and returns one that lies on it.
    fn mark_cycle(&mut self, member: usize, walked: &mut [bool]) -> usize {
        let mut entry = member;
        while mark(walked, entry) {
            entry = self.parent_of(entry).unwrap_or(entry);
        }
        let mut next = entry;
        while mark(&mut self.cyclic, next) {
            next = self.parent_of(next).unwrap_or(entry);
        }
        entry
    }

    /// Every grant once, a parent before its children; a cycle is entered at any of its members. Empty where no grant
    /// renews another.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The grant that this one renews.
    #[must_use]
    pub fn parent_of(&self, index: usize) -> Option<usize> {
        self.parent.get(index).copied().flatten()
    }

    /// Those that renew this one, oldest first.
    #[must_use]
    pub fn children_of(&self, index: usize) -> &[usize] {
        self.children.get(index).map_or(&[], Vec::as_slice)
    }

    /// Whether it lies on a cycle.
    #[must_use]
    pub fn is_cyclic(&self, index: usize) -> bool {
        self.cyclic.get(index).copied().unwrap_or(false)
    }
}

/// What names a source among those that one may renew.
type SourceKey<'a> = (SourceKind, &'a str, &'a str);

fn key<'a>(age: &'a SourceAge, name: &'a str) -> SourceKey<'a> {
    (age.kind, &age.namespace, name)
}

fn age<'a>(grants: &[&'a StatedSource], index: usize) -> Option<&'a SourceAge> {
    grants.get(index).map(|grant| &grant.age)
}

/// Sets a mark; false where it was set before, or there is none.
fn mark(marks: &mut [bool], index: usize) -> bool {
    marks.get_mut(index).is_some_and(|mark| !std::mem::replace(mark, true))
}

/// The grant that each one renews, by index; none where nobody renews any.
fn parents(grants: &[&StatedSource]) -> Option<Vec<Option<usize>>> {
    if grants.iter().all(|grant| grant.renews.is_none()) {
        return None;
    }
    let by_name: HashMap<_, usize> =
        grants.iter().enumerate().map(|(index, grant)| (key(&grant.age, &grant.age.name), index)).collect();
    let parent = |grant: &&StatedSource| by_name.get(&key(&grant.age, grant.renews.as_deref()?)).copied();
    Some(grants.iter().map(parent).collect())
}

/// Splits grants of one definition into groups that bear on each other: all of them where they compete for one seat, else
/// those that are linked by renewal. Each group has the grants' indices in order, and the groups stand in the
/// order of their first.
#[must_use]
pub fn groups(grants: &[&StatedSource], unique: bool) -> Vec<Vec<usize>> {
    if grants.is_empty() {
        return Vec::new();
    }
    if unique || grants.len() < 2 {
        return vec![(0..grants.len()).collect()];
    }
    let Some(parent) = parents(grants) else { return (0..grants.len()).map(|index| vec![index]).collect() };
    let mut leader: Vec<usize> = (0..grants.len()).collect();
    for (child, parent) in parent.iter().enumerate() {
        if let Some(parent) = *parent {
            let (one, other) = (lead(&mut leader, child), lead(&mut leader, parent));
            if let Some(slot) = leader.get_mut(one.max(other)) {
                *slot = one.min(other);
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); grants.len()];
    for index in 0..grants.len() {
        let first = lead(&mut leader, index);
        if let Some(group) = groups.get_mut(first) {
            group.push(index);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn lead(leader: &mut [usize], index: usize) -> usize {
    let mut top = index;
    while let Some(next) = leader.get(top).copied().filter(|next| *next != top) {
        top = next;
    }
    // Path compression keeps long chains of renewals linear.
    let mut below = index;
    while let Some(slot) = leader.get_mut(below).filter(|slot| **slot != top) {
        below = std::mem::replace(slot, top);
    }
    top
}
