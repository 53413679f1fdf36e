use std::fmt;

/// Where a value lies: `limits.cpu[0]` is the first of the list `cpu` of the facet `limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    facet: Box<str>,
    segments: Box<[Segment]>,
}

/// One step from a facet down to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The member of an object.
    Name(String),
    /// The item of a list, from zero.
    Index(usize),
}

impl FieldPath {
    pub(super) fn of_facet(facet: &str) -> Self {
        Self { facet: facet.into(), segments: Box::default() }
    }

    pub(super) fn member(&self, name: &str) -> Self {
        self.step(Segment::Name(name.to_owned()))
    }

    pub(super) fn item(&self, index: usize) -> Self {
        self.step(Segment::Index(index))
    }

    fn step(&self, segment: Segment) -> Self {
        Self { facet: self.facet.clone(), segments: self.segments.iter().cloned().chain([segment]).collect() }
    }

    /// The name of the facet.
    #[must_use]
    pub fn facet(&self) -> &str {
        &self.facet
    }

    /// The steps below the facet.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The facet and the names of the members below it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let members = self.segments.iter().filter_map(|segment| match segment {
            Segment::Name(name) => Some(name.as_str()),
            Segment::Index(_) => None,
        });
        std::iter::once(self.facet.as_ref()).chain(members)
    }
}

impl fmt::Display for FieldPath {
    /// Names with other characters than ASCII letters, digits, `-` and `_` are quoted.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.facet)?;
        for segment in &self.segments {
            match segment {
                Segment::Name(name) if is_plain(name) => write!(formatter, ".{name}")?,
                Segment::Name(name) => write!(formatter, ".{name:?}")?,
                Segment::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
