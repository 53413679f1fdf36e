//! Rebuilds a parsed template from the parts that are allowed, and notes what it reads.
//!
//! Only what this module rebuilds is ever executed. An expression that it overlooked could therefore neither run nor read
//! anything. Each operator becomes a call of [`operators`](super::operators), which keeps to the limits.

use std::collections::BTreeSet;

use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    self, EmitExpr, EmitRaw, Expr, FilterBlock, ForLoop, IfCond, Macro, Set, SetBlock, Spanned, Stmt, Template,
    WithBlock,
};

use super::environment::FUNCTIONS;
use super::error::TemplateError;
use super::names::NamePath;
use super::references::FacetReferences;
use super::tree::{unavailable, unknown};

pub(super) type Result<T> = std::result::Result<T, TemplateError>;

/// The rebuilder, and what it notes on the way.
pub(super) struct Sandbox<'s> {
    pub(super) source: &'s str,
    macros: BTreeSet<&'s str>,
    locals: BTreeSet<&'s str>,
    pub(super) calls: Vec<(&'s str, Span)>,
    pub(super) references: FacetReferences,
    pub(super) names: Vec<NamePath>,
    /// Whether items or parts are taken that are not there in every list or text.
    pub(super) takes_parts: bool,
}

/// A template that may run, and what was noted of it.
pub(super) struct Rebuilt<'s> {
    pub(super) allowed: Stmt<'s>,
    pub(super) references: FacetReferences,
    pub(super) names: Vec<NamePath>,
    pub(super) takes_parts: bool,
}

impl<'s> Sandbox<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            source,
            macros: BTreeSet::new(),
            calls: Vec::new(),
            locals: BTreeSet::from(["loop"]),
            references: FacetReferences::default(),
            names: Vec::new(),
            takes_parts: false,
        }
    }

    /// The template that may run, the facets that it could read, and the names in it.
    pub(super) fn rebuild(mut self, parsed: &Stmt<'s>) -> Result<Rebuilt<'s>> {
        let allowed = self.statement(parsed)?;
        let missing = self.calls.iter().find(|(name, _)| !self.macros.contains(name) && !FUNCTIONS.contains(name));
        if let Some((name, span)) = missing {
            return Err(unknown(*span, "function or macro", name, FUNCTIONS));
        }
        for name in &mut self.names {
            name.local = name.parts.first().is_some_and(|first| self.locals.contains(first.as_str()));
        }
        let Self { references, names, takes_parts, .. } = self;
        Ok(Rebuilt { allowed, references, names, takes_parts })
    }

    fn body(&mut self, statements: &[Stmt<'s>]) -> Result<Vec<Stmt<'s>>> {
        statements.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &Stmt<'s>) -> Result<Stmt<'s>> {
        Ok(match statement {
            Stmt::Template(it) => Stmt::Template(self.template(it)?),
            Stmt::EmitRaw(it) => Stmt::EmitRaw(Spanned::new(EmitRaw { raw: it.raw }, it.span())),
            Stmt::EmitExpr(it) => Stmt::EmitExpr(self.emit(it)?),
            Stmt::ForLoop(it) => Stmt::ForLoop(self.for_loop(it)?),
            Stmt::IfCond(it) => Stmt::IfCond(self.if_block(it)?),
            Stmt::WithBlock(it) => Stmt::WithBlock(self.with_block(it)?),
            Stmt::Set(it) => Stmt::Set(self.set(it)?),
            Stmt::SetBlock(it) => Stmt::SetBlock(self.set_block(it)?),
            Stmt::FilterBlock(it) => Stmt::FilterBlock(self.filter_block(it)?),
            Stmt::Macro(it) => Stmt::Macro(self.declare(it)?),
            Stmt::AutoEscape(it) => {
                return Err(unavailable(it.span(), "`autoescape` is not available"));
            }
            Stmt::CallBlock(it) => {
                return Err(unavailable(it.call.span(), "`call` is not available"));
            }
            Stmt::Do(it) => return Err(unavailable(it.span(), "`do` is not available")),
        })
    }

    fn template(&mut self, it: &Spanned<Template<'s>>) -> Result<Spanned<Template<'s>>> {
        Ok(Spanned::new(Template { children: self.body(&it.children)? }, it.span()))
    }

    fn emit(&mut self, it: &Spanned<EmitExpr<'s>>) -> Result<Spanned<EmitExpr<'s>>> {
        Ok(Spanned::new(EmitExpr { expr: self.expression(&it.expr)? }, it.span()))
    }

    fn if_block(&mut self, it: &Spanned<IfCond<'s>>) -> Result<Spanned<IfCond<'s>>> {
        let expr = self.expression(&it.expr)?;
        let (true_body, false_body) = (self.body(&it.true_body)?, self.body(&it.false_body)?);
        Ok(Spanned::new(IfCond { expr, true_body, false_body }, it.span()))
    }

    fn set(&mut self, it: &Spanned<Set<'s>>) -> Result<Spanned<Set<'s>>> {
        let set = Set { target: self.target(&it.target)?, expr: self.expression(&it.expr)? };
        Ok(Spanned::new(set, it.span()))
    }

    fn set_block(&mut self, it: &Spanned<SetBlock<'s>>) -> Result<Spanned<SetBlock<'s>>> {
        let filter = self.optional(it.filter.as_ref())?;
        let set = SetBlock { target: self.target(&it.target)?, filter, body: self.body(&it.body)? };
        Ok(Spanned::new(set, it.span()))
    }

    fn filter_block(&mut self, it: &Spanned<FilterBlock<'s>>) -> Result<Spanned<FilterBlock<'s>>> {
        let filter = self.expression(&it.filter)?;
        let block = FilterBlock { filter, filter_span: it.filter_span, body: self.body(&it.body)? };
        Ok(Spanned::new(block, it.span()))
    }

    fn for_loop(&mut self, it: &Spanned<ForLoop<'s>>) -> Result<Spanned<ForLoop<'s>>> {
        if it.recursive {
            return Err(unavailable(it.span(), "a loop cannot be `recursive`: nest loops instead"));
        }
        let rebuilt = ForLoop {
            target: self.target(&it.target)?,
            iter: self.expression(&it.iter)?,
            filter_expr: self.optional(it.filter_expr.as_ref())?,
            recursive: false,
            body: self.body(&it.body)?,
            else_body: self.body(&it.else_body)?,
        };
        Ok(Spanned::new(rebuilt, it.span()))
    }

    fn with_block(&mut self, it: &Spanned<WithBlock<'s>>) -> Result<Spanned<WithBlock<'s>>> {
        let assign = |(target, value): &(Expr<'s>, Expr<'s>)| Ok((self.target(target)?, self.expression(value)?));
        let assignments = it.assignments.iter().map(assign).collect::<Result<_>>()?;
        Ok(Spanned::new(WithBlock { assignments, body: self.body(&it.body)? }, it.span()))
    }

    fn declare(&mut self, it: &Spanned<Macro<'s>>) -> Result<Spanned<Macro<'s>>> {
        self.macros.insert(it.name);
        self.locals.insert(it.name);
        let rebuilt = Macro {
            name: it.name,
            args: it.args.iter().map(|argument| self.target(argument)).collect::<Result<_>>()?,
            defaults: self.all(&it.defaults)?,
            body: self.body(&it.body)?,
        };
        Ok(Spanned::new(rebuilt, it.span()))
    }

    /// What is assigned to: names.
    fn target(&mut self, target: &Expr<'s>) -> Result<Expr<'s>> {
        match target {
            Expr::Var(it) => {
                self.locals.insert(it.id);
                Ok(Expr::Var(Spanned::new(ast::Var { id: it.id }, it.span())))
            }
            Expr::List(it) => {
                let items = it.items.iter().map(|item| self.target(item)).collect::<Result<_>>()?;
                Ok(Expr::List(Spanned::new(ast::List { items }, it.span())))
            }
            other => Err(unavailable(other.span(), "only names can be set, not parts of a value")),
        }
    }
}
