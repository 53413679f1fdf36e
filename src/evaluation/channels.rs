//! How much of what an organization holds can be used by each channel.

use super::holding::{Holding, Member};
use crate::core::{
    calendar::Instant,
    usage::caps::{ChannelCaps, together},
};

impl Member {
    /// How much of it can be used by each channel at the moment of the decision, for each part that says so.
    fn channels(&self, now: Instant) -> Vec<&ChannelCaps> {
        match &self.right {
            Some(right) => right.channels(now).collect(),
            None => self.verdict.channels(&self.grant).into_iter().map(AsRef::as_ref).collect(),
        }
    }
}

impl Holding {
    /// The caps of channels that grants in force state: these add up. Of a channel that none of them names nothing is said: for that
    /// the definition's counts. `now` is the moment of the decision.
    #[must_use]
    pub fn channel_caps(&self, now: Instant) -> ChannelCaps {
        let in_force = self.in_force.iter().filter_map(|index| self.members.get(*index));
        together(in_force.flat_map(|member| member.channels(now)))
    }

    /// The same of those grants.
    #[must_use]
    pub fn channel_caps_of(&self, is_one: impl Fn(&Member) -> bool, now: Instant) -> ChannelCaps {
        let members = self.members.iter().filter(|member| is_one(member));
        together(members.flat_map(|member| member.channels(now)))
    }
}
