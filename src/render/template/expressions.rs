//! The expressions of the [`sandbox`](super::sandbox): it rebuilds those that are allowed, and notes the names in them.

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    self, BinOpKind, CallArg, Expr, Filter, GetAttr, GetItem, Spanned, Test, UnaryOp, UnaryOpKind,
};

use super::environment::{FILTERS, TESTS};
use super::error::TemplateLocation;
use super::names::NamePath;
use super::numbers::Number;
use super::references::FacetReference;
use super::sandbox::{Result, Sandbox};
use super::tree::{constant, dotted, from, leftmost, operator, present, unavailable, unknown, variable, whole};

/// The variable that holds the facets.
const FACETS: &str = "facets";

impl<'s> Sandbox<'s> {
    pub(super) fn all(&mut self, expressions: &[Expr<'s>]) -> Result<Vec<Expr<'s>>> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    pub(super) fn optional(&mut self, expression: Option<&Expr<'s>>) -> Result<Option<Expr<'s>>> {
        expression.map(|expression| self.expression(expression)).transpose()
    }

    pub(super) fn expression(&mut self, expression: &Expr<'s>) -> Result<Expr<'s>> {
        if let Some((parts, copy)) = dotted(expression) {
            self.note(parts, whole(expression));
            return Ok(copy);
        }
        match expression {
            Expr::Var(it) => Ok(variable(it)),
            Expr::Const(it) => Ok(constant(self.literal(it), it.span())),
            Expr::GetAttr(it) => self.attribute(it),
            Expr::GetItem(it) => self.item(it),
            Expr::Slice(it) => self.slice(it),
            Expr::UnaryOp(it) => self.unary(it),
            Expr::BinOp(it) => self.binary(it),
            Expr::Compare(it) => Err(unavailable(
                from(leftmost(&it.expr), it.span()),
                "comparisons cannot be chained: write `a < b and b < c`",
            )),
            Expr::IfExpr(it) => self.if_expression(it),
            Expr::Filter(it) => self.filter(it),
            Expr::Test(it) => self.test(it),
            Expr::Call(it) => self.call(it),
            Expr::List(it) => self.list(&it.items, it.span()),
            Expr::Tuple(it) => self.list(&it.items, it.span()),
            Expr::Map(it) => self.map(it),
        }
    }

    /// A constant. A fraction is read anew, with all its digits.
    fn literal(&self, it: &Spanned<ast::Const>) -> Value {
        let span = it.span();
        let is_fraction = it.value.is_number() && !it.value.is_integer();
        let written = self.source.get(span.start_offset as usize..span.end_offset as usize).filter(|_| is_fraction);
        let number = written.and_then(|written| Number::read(&written.replace('_', "")));
        number.map_or_else(|| it.value.clone(), |number| number.with_fraction().into_value())
    }

    /// Notes a dotted name.
    fn note(&mut self, parts: Vec<String>, span: Span) {
        if parts.first().is_some_and(|first| first == FACETS) {
            self.references.add(FacetReference::of(&parts, TemplateLocation::start(span)));
        }
        self.name(parts, span);
    }

    fn name(&mut self, parts: Vec<String>, span: Span) {
        let range = span.start_offset as usize..span.end_offset as usize;
        self.names.push(NamePath { range, parts, local: false });
    }

    fn attribute(&mut self, it: &Spanned<GetAttr<'s>>) -> Result<Expr<'s>> {
        let expr = self.expression(&it.expr)?;
        Ok(Expr::GetAttr(Spanned::new(GetAttr { expr, name: it.name }, it.span())))
    }

    fn item(&mut self, it: &Spanned<GetItem<'s>>) -> Result<Expr<'s>> {
        let span = from(leftmost(&it.expr), it.span());
        self.takes_parts = true;
        let (value, place) = (self.expression(&it.expr)?, self.expression(&it.subscript_expr)?);
        Ok(operator("[i]", value, vec![place], span))
    }

    fn unary(&mut self, it: &Spanned<UnaryOp<'s>>) -> Result<Expr<'s>> {
        let expr = self.expression(&it.expr)?;
        Ok(match it.op {
            UnaryOpKind::Neg => operator("-a", expr, vec![], it.span()),
            UnaryOpKind::Not => Expr::UnaryOp(Spanned::new(UnaryOp { op: UnaryOpKind::Not, expr }, it.span())),
        })
    }

    /// Its parts as a list, from which the operator makes it: the engine would compare keys of any length for nothing.
    fn map(&mut self, it: &Spanned<ast::Map<'s>>) -> Result<Expr<'s>> {
        let (keys, values) = (self.all(&it.keys)?, self.all(&it.values)?);
        let items = keys.into_iter().zip(values).flat_map(|(key, value)| [key, value]).collect();
        Ok(operator("{}", Expr::List(Spanned::new(ast::List { items }, it.span())), vec![], it.span()))
    }

    fn slice(&mut self, it: &Spanned<ast::Slice<'s>>) -> Result<Expr<'s>> {
        if it.step.is_some() {
            return Err(unavailable(
                it.span(),
                "a slice has no step: write `[start:stop]`, and `reverse` to turn it round",
            ));
        }
        let value = self.expression(&it.expr)?;
        let mut bound = |given: Option<&Expr<'s>>| {
            Ok(self.optional(given)?.unwrap_or_else(|| constant(Value::from(()), it.span())))
        };
        let bounds = vec![bound(it.start.as_ref())?, bound(it.stop.as_ref())?];
        Ok(operator("[:]", value, bounds, it.span()))
    }

    fn binary(&mut self, it: &Spanned<ast::BinOp<'s>>) -> Result<Expr<'s>> {
        let span = from(leftmost(&it.left), it.span());
        let (left, right) = (self.expression(&it.left)?, self.expression(&it.right)?);
        let name = match it.op {
            // These choose one side by its truth, and look at nothing else.
            BinOpKind::ScAnd | BinOpKind::ScOr => {
                return Ok(Expr::BinOp(Spanned::new(ast::BinOp { op: it.op, left, right }, it.span())));
            }
            BinOpKind::Eq => "==",
            BinOpKind::Ne => "!=",
            BinOpKind::Lt => "<",
            BinOpKind::Lte => "<=",
            BinOpKind::Gt => ">",
            BinOpKind::Gte => ">=",
            BinOpKind::Add => "+",
            BinOpKind::Sub => "-",
            BinOpKind::Mul => "*",
            BinOpKind::Div => "/",
            BinOpKind::FloorDiv => "//",
            BinOpKind::Rem => "%",
            BinOpKind::Pow => "**",
            BinOpKind::Concat => "~",
            BinOpKind::In => "in",
        };
        Ok(operator(name, left, vec![right], span))
    }

    fn if_expression(&mut self, it: &Spanned<ast::IfExpr<'s>>) -> Result<Expr<'s>> {
        let true_expr = self.expression(&it.true_expr)?;
        let test_expr = self.expression(&it.test_expr)?;
        let false_expr = self.optional(it.false_expr.as_ref())?.or_else(|| Some(constant(Value::from(""), it.span())));
        Ok(Expr::IfExpr(Spanned::new(ast::IfExpr { test_expr, true_expr, false_expr }, it.span())))
    }

    fn filter(&mut self, it: &Spanned<Filter<'s>>) -> Result<Expr<'s>> {
        if !FILTERS.contains(&it.name) {
            return Err(unknown(it.span(), "filter", it.name, FILTERS));
        }
        self.takes_parts |= matches!(it.name, "first" | "last");
        let value = self.optional(it.expr.as_ref())?;
        // All others work on a value that is there.
        let expr = if it.name == "default" { value } else { value.map(present) };
        let rebuilt = Filter { name: it.name, expr, args: self.arguments(&it.args, it.span())? };
        Ok(Expr::Filter(Spanned::new(rebuilt, it.span())))
    }

    fn test(&mut self, it: &Spanned<Test<'s>>) -> Result<Expr<'s>> {
        if !TESTS.contains(&it.name) {
            return Err(unknown(it.span(), "test", it.name, TESTS));
        }
        let expr = if matches!(it.name, "defined" | "undefined") {
            self.presence(&it.expr)?
        } else {
            // A misspelt name is not silently of no type.
            present(self.expression(&it.expr)?)
        };
        let rebuilt = Test { name: it.name, expr, args: self.arguments(&it.args, it.span())? };
        Ok(Expr::Test(Spanned::new(rebuilt, it.span())))
    }

    /// What is only asked to be there. Which facets there are depends on no field.
    fn presence(&mut self, expression: &Expr<'s>) -> Result<Expr<'s>> {
        match dotted(expression) {
            Some((parts, copy)) if parts.len() <= 2 => {
                self.name(parts, whole(expression));
                Ok(copy)
            }
            _ => self.expression(expression),
        }
    }

    fn call(&mut self, it: &Spanned<ast::Call<'s>>) -> Result<Expr<'s>> {
        let Expr::Var(name) = &it.expr else {
            let message = "values have no methods: use filters, such as `items` or `upper`";
            return Err(unavailable(from(leftmost(&it.expr), it.span()), message));
        };
        self.calls.push((name.id, it.span()));
        let rebuilt = ast::Call { expr: variable(name), args: self.arguments(&it.args, it.span())? };
        Ok(Expr::Call(Spanned::new(rebuilt, it.span())))
    }

    fn arguments(&mut self, arguments: &[CallArg<'s>], span: Span) -> Result<Vec<CallArg<'s>>> {
        let rebuild = |argument: &CallArg<'s>| match argument {
            CallArg::Pos(it) => Ok(CallArg::Pos(self.expression(it)?)),
            CallArg::Kwarg(name, it) => Ok(CallArg::Kwarg(name, self.expression(it)?)),
            CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                Err(unavailable(span, "arguments are written one by one: `*` and `**` cannot spread a value"))
            }
        };
        arguments.iter().map(rebuild).collect()
    }

    fn list(&mut self, items: &[Expr<'s>], span: Span) -> Result<Expr<'s>> {
        let list = ast::List { items: self.all(items)? };
        Ok(operator("[]", Expr::List(Spanned::new(list, span)), vec![], span))
    }
}
