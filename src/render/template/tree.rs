//! Parts of a parsed template: copies, places, and what is wrong with them.

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, CallArg, Expr, Filter, GetAttr, GetItem, Spanned};

use super::error::{TemplateError, TemplateErrorKind, TemplateLocation};

/// The parts of a name that is plain in the source, such as `a.b["c"]`, and a copy of it.
pub(super) fn dotted<'s>(expression: &Expr<'s>) -> Option<(Vec<String>, Expr<'s>)> {
    match expression {
        Expr::Var(it) => Some((vec![it.id.to_owned()], variable(it))),
        Expr::GetAttr(it) => {
            let (mut parts, expr) = dotted(&it.expr)?;
            parts.push(it.name.to_owned());
            let copy = GetAttr { expr, name: it.name };
            Some((parts, Expr::GetAttr(Spanned::new(copy, it.span()))))
        }
        Expr::GetItem(it) => {
            let Expr::Const(key) = &it.subscript_expr else {
                return None;
            };
            let part = key.value.as_str()?.to_owned();
            let (mut parts, expr) = dotted(&it.expr)?;
            parts.push(part);
            let copy = GetItem { expr, subscript_expr: constant(key.value.clone(), key.span()) };
            Some((parts, Expr::GetItem(Spanned::new(copy, it.span()))))
        }
        _ => None,
    }
}

pub(super) fn variable<'s>(it: &Spanned<ast::Var<'s>>) -> Expr<'s> {
    Expr::Var(Spanned::new(ast::Var { id: it.id }, it.span()))
}

/// Where an expression begins. The parser's own spans leave out some that lie to the left.
pub(super) fn leftmost(expression: &Expr<'_>) -> Span {
    match expression {
        Expr::GetAttr(it) => leftmost(&it.expr),
        Expr::GetItem(it) => leftmost(&it.expr),
        Expr::Slice(it) => leftmost(&it.expr),
        Expr::Call(it) => leftmost(&it.expr),
        Expr::Test(it) => leftmost(&it.expr),
        Expr::BinOp(it) => leftmost(&it.left),
        Expr::IfExpr(it) => leftmost(&it.true_expr),
        Expr::Filter(it) => it.expr.as_ref().map_or(it.span(), leftmost),
        other => other.span(),
    }
}

pub(super) fn whole(expression: &Expr<'_>) -> Span {
    from(leftmost(expression), expression.span())
}

/// The span from the beginning of the one to the end of the other.
pub(super) fn from(first: Span, last: Span) -> Span {
    Span { end_line: last.end_line, end_col: last.end_col, end_offset: last.end_offset, ..first }
}

pub(super) fn constant<'s>(value: Value, span: Span) -> Expr<'s> {
    Expr::Const(Spanned::new(ast::Const { value }, span))
}

pub(super) fn operator<'s>(name: &'s str, value: Expr<'s>, others: Vec<Expr<'s>>, span: Span) -> Expr<'s> {
    let args = others.into_iter().map(CallArg::Pos).collect();
    Expr::Filter(Spanned::new(Filter { name, expr: Some(value), args }, span))
}

/// The value, which must be there.
pub(super) fn present(value: Expr<'_>) -> Expr<'_> {
    let span = whole(&value);
    operator("is", value, vec![], span)
}

pub(super) fn unavailable(span: Span, message: &str) -> TemplateError {
    TemplateError::new(TemplateErrorKind::Syntax, Some(TemplateLocation::start(span)), message)
}

pub(super) fn unknown(span: Span, what: &str, name: &str, known: &[&str]) -> TemplateError {
    let message = format!("unknown {what} \"{name}\"; there is {}", known.join(", "));
    TemplateError::new(TemplateErrorKind::UnknownFilter, Some(TemplateLocation::start(span)), message)
}
