//! Templates and expressions. Strict about what is not there, without files, and bounded in work
//! and size, so that a playbook can neither hang an agent nor flood it.

use super::filters;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value as Jinja, value::Serde};
use protocol::criterion::Check;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io;
use std::sync::LazyLock;

/// Most template instructions one rendering may execute.
pub const MOST_INSTRUCTIONS: u64 = 2_000_000;
/// Largest text one rendering may make, in bytes.
pub const LARGEST_TEXT: usize = 1024 * 1024;
/// Deepest value whose strings are rendered.
const DEEPEST: usize = 32;

/// Why a template or expression could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// It is written wrongly, or speaks of something that is not there.
    #[error("in `{template}`, line {line}: {problem}")]
    Template {
        /// The line of the template it happened in, cut to 120 characters.
        template: String,
        /// Line in the template, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The text became too large.
    #[error("the text became larger than {LARGEST_TEXT} bytes: show less of it")]
    TooLarge,
    /// The value is nested too deeply.
    #[error("the value is nested deeper than {DEEPEST}: make it flatter")]
    TooDeep,
    /// A check's expression did not give true or false.
    #[error("`{expression}` gives {given}, not true or false: compare it with what is expected")]
    NotABool {
        /// The expression, cut to 120 characters.
        expression: String,
        /// The kind of value it gives.
        given: String,
    },
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(MOST_INSTRUCTIONS));
    environment.set_recursion_limit(64);
    if let Ok(syntax) = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        environment.set_syntax(syntax);
    }
    filters::add(&mut environment);
    environment
});

/// Fills a template.
///
/// # Errors
/// [`RenderError`] when it is wrong, speaks of what is not there, or grows too large.
pub fn render(template: &str, ctx: &Value) -> Result<String, RenderError> {
    render_with(template, &jinja(ctx))
}

fn jinja(value: &Value) -> Jinja {
    Jinja::from(Serde(value))
}

fn render_with(template: &str, ctx: &Jinja) -> Result<String, RenderError> {
    let wrong = |error| template_error(template, &error);
    let parsed = ENVIRONMENT.template_from_str(template).map_err(wrong)?;
    let mut out = Bounded(Vec::new());
    match parsed.render_captured_to(ctx.clone(), &mut out) {
        Ok(_) => Ok(String::from_utf8_lossy(&out.0).into_owned()),
        Err(error) if error.kind() == minijinja::ErrorKind::WriteFailure => {
            Err(RenderError::TooLarge)
        }
        Err(error) => Err(wrong(error)),
    }
}

struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST_TEXT {
            return Err(io::Error::other("too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fills every string inside a value. A string that is one `{{ expression }}` becomes that
/// expression's own value, number and list included; fields of an object that become null are
/// left out, so that a parameter nobody gave is not passed on.
///
/// # Errors
/// As [`render`].
pub fn render_value(value: &Value, ctx: &Value) -> Result<Value, RenderError> {
    inside(value, &jinja(ctx), 0)
}

fn inside(value: &Value, ctx: &Jinja, depth: usize) -> Result<Value, RenderError> {
    if depth > DEEPEST {
        return Err(RenderError::TooDeep);
    }
    match value {
        Value::String(text) => match lone_expression(text) {
            Some(expression) => to_json(text, &evaluate(expression, ctx)?),
            None => render_with(text, ctx).map(Value::String),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| inside(item, ctx, depth + 1))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Value::Object(fields) => {
            let mut filled = Map::new();
            for (name, field) in fields {
                let field = inside(field, ctx, depth + 1)?;
                if !field.is_null() {
                    filled.insert(name.clone(), field);
                }
            }
            Ok(Value::Object(filled))
        }
        other => Ok(other.clone()),
    }
}

/// `x` of `{{ x }}`, where that is all there is.
fn lone_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let plain = !inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%");
    plain.then(|| inner.trim_matches('-').trim())
}

fn to_json(template: &str, value: &Jinja) -> Result<Value, RenderError> {
    let json = serde_json::to_value(value).map_err(|error| RenderError::Template {
        template: cut(template),
        line: 1,
        problem: error.to_string(),
    })?;
    if json_size(&json) > LARGEST_TEXT {
        Err(RenderError::TooLarge)
    } else {
        Ok(json)
    }
}

fn json_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(json_size).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields
                .iter()
                .map(|(k, v)| k.len() + json_size(v))
                .sum::<usize>()
                + 2
        }
        _ => 8,
    }
}

fn evaluate(expression: &str, ctx: &Jinja) -> Result<Jinja, RenderError> {
    let wrong = |error| template_error(expression, &error);
    let value = ENVIRONMENT
        .compile_expression(expression)
        .map_err(wrong)?
        .eval(ctx.clone())
        .map_err(wrong)?;
    if value.is_undefined() {
        return Err(RenderError::Template {
            template: cut(expression),
            line: 1,
            problem: "it speaks of something that is not there".to_owned(),
        });
    }
    Ok(value)
}

/// Evaluates an expression to JSON.
///
/// # Errors
/// As [`render`].
pub fn value_of(expression: &str, ctx: &Value) -> Result<Value, RenderError> {
    to_json(expression, &evaluate(expression, &jinja(ctx))?)
}

/// Whether a `when` holds. Empty texts and lists, zero and null count as false.
///
/// # Errors
/// As [`render`].
pub fn holds(expression: &str, ctx: &Value) -> Result<bool, RenderError> {
    Ok(evaluate(expression, &jinja(ctx))?.is_true())
}

/// Whether a tool check's `expect` holds for a fresh answer. It must give true or false.
///
/// # Errors
/// As [`render`], and [`RenderError::NotABool`].
pub fn tool_check_holds(expect: &str, ctx: &Value, result: &Value) -> Result<bool, RenderError> {
    let mut fields = match ctx {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    fields.insert("result".to_owned(), result.clone());
    let value = evaluate(expect, &jinja(&Value::Object(fields)))?;
    if value.kind() != minijinja::value::ValueKind::Bool {
        return Err(RenderError::NotABool {
            expression: cut(expect),
            given: value.kind().to_string(),
        });
    }
    Ok(value.is_true())
}

/// Fills the strings of a check. A tool check's `expect` stays as it is, for
/// [`tool_check_holds`]; its input becomes an object.
///
/// # Errors
/// As [`render`].
pub fn render_check(check: &Check, ctx: &Value) -> Result<Check, RenderError> {
    let ctx = &jinja(ctx);
    let text = |text: &String| render_with(text, ctx);
    let maybe = |text: &Option<String>| text.as_ref().map(|t| render_with(t, ctx)).transpose();
    Ok(match check {
        Check::Command {
            argv,
            expect,
            timeout_s,
        } => {
            let mut expect = expect.clone();
            expect.stdout_contains = maybe(&expect.stdout_contains)?;
            Check::Command {
                argv: argv.iter().map(text).collect::<Result<_, _>>()?,
                expect,
                timeout_s: *timeout_s,
            }
        }
        Check::File {
            path,
            exists,
            contains,
            lacks,
            sha256,
        } => Check::File {
            path: text(path)?,
            exists: *exists,
            contains: maybe(contains)?,
            lacks: maybe(lacks)?,
            sha256: maybe(sha256)?,
        },
        Check::Tool {
            name,
            input,
            expect,
        } => Check::Tool {
            name: name.clone(),
            input: match inside(input, ctx, 0)? {
                Value::Null => Value::Object(Map::new()),
                input => input,
            },
            expect: expect.clone(),
        },
    })
}

/// The names a template speaks of and does not define itself, dotted as far as they are fixed.
///
/// # Errors
/// [`RenderError::Template`] when it is written wrongly.
pub fn names_in_template(template: &str) -> Result<BTreeSet<String>, RenderError> {
    let parsed = ENVIRONMENT
        .template_from_str(template)
        .map_err(|error| template_error(template, &error))?;
    Ok(parsed.undeclared_variables(true).into_iter().collect())
}

/// As [`names_in_template`], for an expression.
///
/// # Errors
/// [`RenderError::Template`] when it is written wrongly.
pub fn names_in_expression(expression: &str) -> Result<BTreeSet<String>, RenderError> {
    let parsed = ENVIRONMENT
        .compile_expression(expression)
        .map_err(|error| template_error(expression, &error))?;
    Ok(parsed.undeclared_variables(true).into_iter().collect())
}

fn template_error(template: &str, error: &minijinja::Error) -> RenderError {
    let line = error.line().unwrap_or(1);
    let shown = template
        .lines()
        .nth(line.saturating_sub(1))
        .unwrap_or(template);
    let kind = error.kind().to_string();
    RenderError::Template {
        template: cut(shown.trim()),
        line,
        problem: match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind,
        },
    }
}

fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
