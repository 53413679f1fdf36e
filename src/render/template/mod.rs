//! Templates: text of administrators, filled with what an organization is entitled to.
//!
//! The language is Jinja's (as the `minijinja` library reads it), strict, and cut down to what can do no harm. A name that does
//! not exist is an error. A template reaches nothing but its [`TemplateContext`]: no file, no environment, no network, no clock.
//! `docs/templates.md` describes what it may do, filter by filter and limit by limit.
//!
//! A source goes through `bounds` (its tokens: is it small and flat enough to parse?), the library's parser, and `sandbox`,
//! which builds a new program out of the allowed parts. In that program every operator is one of `operators`. The library runs
//! it under its own limits of fuel and depth.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::machinery::ast::Stmt;
use minijinja::machinery::{CodeGenerator, Instructions, eval, make_string_output, parse};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, Value};
use serde::Serialize;

mod bounds;
mod checks;
mod environment;
mod error;
mod expressions;
mod filters;
mod lists;
mod names;
mod numbers;
mod operators;
mod references;
mod sandbox;
#[cfg(test)]
mod tests;
mod tree;
mod values;

pub use error::{Missing, TemplateError, TemplateErrorKind, TemplateLocation};
pub use references::{FacetReference, FacetReferences};

use environment::{CHEAP_ENVIRONMENT, ENVIRONMENT, NAME, syntax};
use names::NamePath;
use sandbox::{Rebuilt, Sandbox};

/// Bytes of a template's source. Below 2^16, as the library counts columns in 16 bits.
pub const MAX_SOURCE: usize = 64_000;

/// Bytes that a template may write, and of any text on the way.
pub const MAX_OUTPUT: usize = 1 << 20;

/// Work that a template may do, in units of about one instruction; 64 bytes of text that is made count as one.
pub const FUEL: u64 = 250_000;

/// What a template that fails is taken to have done where it did no more. How much it has done, the engine does not tell.
const CHEAP_FUEL: u64 = 2_000;

/// How deep an expression may be, in steps.
const MAX_EXPRESSION: usize = 400;

/// How deep statements may lie within one another.
const MAX_NESTING: usize = 40;

/// How deep loops, `with` and macro calls (6 each) may be while running.
const MAX_DEPTH: usize = 100;

/// How many values a list or map that a template builds may hold in all; 64 bytes of text count as one.
const MAX_LITERAL: usize = 50_000;

/// How deep they may go.
const MAX_LITERAL_DEPTH: usize = 64;

/// How many items `range` and `split` give at most.
const MAX_ITEMS: usize = 10_000;

/// What a template is filled with. Its `Debug` shows no values, as some may be secret.
#[derive(Clone)]
pub struct TemplateContext(Value);

impl TemplateContext {
    /// The context whose names are the fields of `names`, which should be a struct or a map.
    ///
    /// To be on the safe side of [`FacetReferences`], leave secret fields out where the output is not a Secret.
    #[must_use]
    pub fn new(names: &impl Serialize) -> Self {
        Self(Value::from(Serde(names)))
    }

    fn value(&self) -> &Value {
        &self.0
    }
}

/// A part of what templates are filled with, made ready once for many of them.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Ready(Value);

impl Ready {
    /// Makes a value ready.
    #[must_use]
    pub fn new(value: &impl Serialize) -> Self {
        Self(Value::from(Serde(value)))
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

impl fmt::Debug for TemplateContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// A compiled template. Cloning shares it.
#[derive(Clone)]
pub struct Template(Arc<CompiledProgram>);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Where the source is too long or too deep, cannot be parsed, or uses a filter, test, function or statement
    /// that does not exist here.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        bounds::check(source)?;
        let program = CompiledProgram::try_new(source.to_owned(), |source| Code::generate(source))?;
        Ok(Self(Arc::new(program)))
    }

    /// Fills the template. Nothing is escaped, and the last newline of the source is kept.
    ///
    /// # Errors
    /// Where a name does not exist, a value has no text or a filter cannot work with it, or a limit is reached.
    pub fn render(&self, context: &TemplateContext) -> Result<String, TemplateError> {
        self.render_counted(context).0
    }

    /// The same, and how much work it was, in steps of which one template may take [`FUEL`]. It is the same for the same
    /// values; where the template fails, it is that or somewhat more.
    pub fn render_counted(&self, context: &TemplateContext) -> (Result<String, TemplateError>, u64) {
        self.0.borrow_dependent().run(self.source(), context)
    }

    /// The facet fields that the template could read, whatever it is filled with.
    #[must_use]
    pub fn facet_references(&self) -> &FacetReferences {
        &self.0.borrow_dependent().references
    }

    /// The text that it writes whatever it is filled with, in its order; nothing stands for what is known only then.
    #[must_use]
    pub fn outline(&self) -> &[Option<&str>] {
        &self.0.borrow_dependent().outline
    }

    /// The first parts of all dotted names in it, those that it sets itself among them.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.0.borrow_dependent().names.iter().filter_map(|name| name.parts.first()).map(String::as_str)
    }

    /// Whether it takes items of lists, or parts of texts, that are not there in all of them.
    #[must_use]
    pub fn takes_parts(&self) -> bool {
        self.0.borrow_dependent().takes_parts
    }

    /// The text that it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        self.0.borrow_owner()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.source()).finish()
    }
}

self_cell::self_cell!(
    struct CompiledProgram {
        owner: String,
        #[covariant]
        dependent: Code,
    }
);

/// A program, which borrows its names and texts from the source.
struct Code<'source> {
    instructions: Instructions<'source>,
    blocks: BTreeMap<&'source str, Instructions<'source>>,
    references: FacetReferences,
    names: Vec<NamePath>,
    outline: Vec<Option<&'source str>>,
    takes_parts: bool,
}

impl<'source> Code<'source> {
    fn generate(source: &'source str) -> Result<Self, TemplateError> {
        let parsed = parse(source, NAME, syntax()).map_err(|error| TemplateError::unreadable(&error, source, None))?;
        let Rebuilt { allowed, references, names, takes_parts } = Sandbox::new(source).rebuild(&parsed)?;
        let outline = outline(&parsed);
        let mut generator = CodeGenerator::new(NAME, source);
        generator.compile_stmt(&allowed);
        let (instructions, blocks) = generator.finish();
        Ok(Self { instructions, blocks, references, names, outline, takes_parts })
    }

    fn run(&'source self, source: &str, context: &TemplateContext) -> (Result<String, TemplateError>, u64) {
        let mut output = String::new();
        let ended = self.evaluate(&ENVIRONMENT, context, &mut output);
        let spent = ended.as_ref().map_or_else(|_| self.spent_in_vain(context), |spent| *spent);
        // Fuel pays for every byte, so an output that is too large may have ended for want of it.
        if output.len() > MAX_OUTPUT {
            return (Err(TemplateError::output_too_large()), spent);
        }
        let written = ended.map(|_| output);
        (written.map_err(|error| TemplateError::rendering(&error, source, &self.names, context)), spent)
    }

    fn spent_in_vain(&'source self, context: &TemplateContext) -> u64 {
        match self.evaluate(&CHEAP_ENVIRONMENT, context, &mut String::new()) {
            Err(error) if error.kind() == ErrorKind::OutOfFuel => FUEL,
            _ => CHEAP_FUEL,
        }
    }

    /// Writes what the program gives, and tells the fuel that it took.
    fn evaluate(
        &'source self,
        environment: &'static Environment<'static>,
        context: &TemplateContext,
        output: &mut String,
    ) -> Result<u64, minijinja::Error> {
        let mut writer = make_string_output(output);
        let root = context.value().clone();
        let (_, state) = eval(environment, &self.instructions, root, &self.blocks, &mut writer, AutoEscape::None)?;
        Ok(state.fuel_levels().map_or(0, |(spent, _)| spent))
    }
}

/// What stands outside all statements and expressions, and where one of these is that may write.
fn outline<'source>(parsed: &Stmt<'source>) -> Vec<Option<&'source str>> {
    let Stmt::Template(template) = parsed else { return vec![None] };
    let parts = template.children.iter().filter_map(|child| match child {
        Stmt::EmitRaw(text) => Some(Some(text.raw)),
        Stmt::Set(_) | Stmt::SetBlock(_) | Stmt::Macro(_) => None,
        _ => Some(None),
    });
    parts.collect()
}
