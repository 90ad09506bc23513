//! minijinja's own filters, tests and functions, each with what it makes beyond its arguments'
//! weight. `debug` is left out: it shows all that a template knows, secrets too.

use minijinja::{Value, filters, functions, tests};

use super::super::{
    engine::TemplateEngine,
    meter::{ValueWeight, weight},
};

pub fn add(engine: &mut TemplateEngine) {
    texts(engine);
    lists(engine);
    growing(engine);
    kinds(engine);
    comparisons(engine);
    engine.add_function("range", functions::range, |_| 0);
    engine.add_function("dict", functions::dict, |_| 0);
    engine.add_function("namespace", functions::namespace, |_| 0);
}

fn texts(engine: &mut TemplateEngine) {
    engine.add_filter("safe", filters::safe);
    engine.add_filter("escape", filters::escape);
    engine.add_filter("e", filters::escape);
    engine.add_filter("lower", filters::lower);
    engine.add_filter("upper", filters::upper);
    engine.add_filter("title", filters::title);
    engine.add_filter("capitalize", filters::capitalize);
    engine.add_filter("trim", filters::trim);
    engine.add_filter("split", filters::split);
    engine.add_filter("lines", filters::lines);
    engine.add_filter("default", filters::default);
    engine.add_filter("d", filters::default);
    engine.add_filter("round", filters::round);
    engine.add_filter("abs", filters::abs);
    engine.add_filter("int", filters::int);
    engine.add_filter("float", filters::float);
    engine.add_filter("string", filters::string);
    engine.add_filter("bool", filters::bool);
}

fn lists(engine: &mut TemplateEngine) {
    engine.add_filter("length", filters::length);
    engine.add_filter("count", filters::length);
    engine.add_filter("dictsort", filters::dictsort);
    engine.add_filter("items", filters::items);
    engine.add_filter("reverse", filters::reverse);
    engine.add_filter("attr", filters::attr);
    engine.add_filter("first", filters::first);
    engine.add_filter("last", filters::last);
    engine.add_filter("min", filters::min);
    engine.add_filter("max", filters::max);
    engine.add_filter("sort", filters::sort);
    engine.add_filter("list", filters::list);
    engine.add_filter("select", filters::select);
    engine.add_filter("reject", filters::reject);
    engine.add_filter("selectattr", filters::selectattr);
    engine.add_filter("rejectattr", filters::rejectattr);
    engine.add_filter("map", filters::map);
    engine.add_filter("groupby", filters::groupby);
    engine.add_filter("unique", filters::unique);
    engine.add_filter("chain", filters::chain);
    engine.add_filter("zip", filters::zip);
}

fn growing(engine: &mut TemplateEngine) {
    engine.add_growing_filter("replace", filters::replace, replaced);
    engine.add_growing_filter("join", filters::join, joined);
    engine.add_growing_filter("indent", filters::indent, indented);
    engine.add_growing_filter("batch", filters::batch, filled);
    engine.add_growing_filter("slice", filters::slice, filled);
    // Lists are added up two at a time.
    engine.add_growing_filter("sum", filters::sum, |all| {
        let added = weigh(all.first()).nodes;
        added.saturating_mul(added) / 64
    });
    engine.add_growing_filter("pprint", filters::pprint, |all| laid_out(weigh(all.first())));
    engine.add_growing_filter("format", filters::format, formatted);
}

fn kinds(engine: &mut TemplateEngine) {
    engine.add_test("undefined", tests::is_undefined);
    engine.add_test("defined", tests::is_defined);
    engine.add_test("none", tests::is_none);
    engine.add_test("safe", tests::is_safe);
    engine.add_test("escaped", tests::is_safe);
    engine.add_test("boolean", tests::is_boolean);
    engine.add_test("odd", tests::is_odd);
    engine.add_test("even", tests::is_even);
    engine.add_test("divisibleby", tests::is_divisibleby);
    engine.add_test("number", tests::is_number);
    engine.add_test("integer", tests::is_integer);
    engine.add_test("int", tests::is_integer);
    engine.add_test("float", tests::is_float);
    engine.add_test("string", tests::is_string);
    engine.add_test("sequence", tests::is_sequence);
    engine.add_test("iterable", tests::is_iterable);
    engine.add_test("mapping", tests::is_mapping);
    engine.add_test("lower", tests::is_lower);
    engine.add_test("upper", tests::is_upper);
    engine.add_test("true", tests::is_true);
    engine.add_test("false", tests::is_false);
    engine.add_test("filter", tests::is_filter);
    engine.add_test("test", tests::is_test);
}

fn comparisons(engine: &mut TemplateEngine) {
    for name in ["eq", "equalto", "=="] {
        engine.add_test(name, tests::is_eq);
    }
    for name in ["ne", "!="] {
        engine.add_test(name, tests::is_ne);
    }
    for name in ["lt", "lessthan", "<"] {
        engine.add_test(name, tests::is_lt);
    }
    for name in ["le", "<="] {
        engine.add_test(name, tests::is_le);
    }
    for name in ["gt", "greaterthan", ">"] {
        engine.add_test(name, tests::is_gt);
    }
    for name in ["ge", ">="] {
        engine.add_test(name, tests::is_ge);
    }
    engine.add_test("in", tests::is_in);
    engine.add_test("sameas", tests::is_sameas);
    engine.add_test("startingwith", tests::is_startingwith);
    engine.add_test("endingwith", tests::is_endingwith);
}

/// What a value weighs; its guard let it pass, so it can be weighed.
fn weigh(value: Option<&Value>) -> ValueWeight {
    value.and_then(|value| weight(value).ok()).unwrap_or_default()
}

/// What writing a value out over lines makes, with a level of indentation per level.
pub fn laid_out(weight: ValueWeight) -> u64 {
    weight.nodes * u64::from(weight.depth) * 4 + weight.bytes
}

fn replaced(all: &[Value]) -> u64 {
    let [text, from, to, ..] = all else { return 0 };
    let times = match (text.as_str(), from.as_str()) {
        (Some(text), Some(from)) => text.matches(from).count() as u64,
        _ => weigh(Some(text)).bytes + 64,
    };
    times.saturating_mul(weigh(Some(to)).bytes)
}

fn joined(all: &[Value]) -> u64 {
    let list = weigh(all.first());
    list.made() + list.nodes.saturating_mul(weigh(all.get(1)).bytes)
}

fn indented(all: &[Value]) -> u64 {
    let lines =
        all.first().and_then(Value::as_str).map_or(1, |text| text.matches('\n').count() + 1);
    (lines as u64).saturating_mul(greatest(all))
}

fn filled(all: &[Value]) -> u64 {
    greatest(all).saturating_mul(ValueWeight { nodes: 1, ..ValueWeight::default() }.made() * 2)
}

/// A verb can be as wide as a number in the format or a value says, and name a value again.
fn formatted(all: &[Value]) -> u64 {
    let Some(format) = all.first().and_then(Value::as_str) else { return 0 };
    let numbers = format.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let widths = numbers.map(|digits| digits.parse().unwrap_or(u64::MAX));
    let stars = (format.matches('*').count() as u64).saturating_mul(greatest(&all[1..]));
    let values: u64 = all[1..].iter().map(|value| weigh(Some(value)).made()).sum();
    let verbs = (format.matches('%').count() as u64).saturating_mul(values);
    widths.fold(stars.saturating_add(verbs), u64::saturating_add)
}

/// The greatest number among values, and in the mapping of named arguments.
fn greatest(all: &[Value]) -> u64 {
    let number = |value: &Value| value.as_i64().map_or(0, i64::unsigned_abs);
    let named = |value: &Value| {
        let pairs = value.as_object().and_then(|object| object.try_iter_pairs());
        pairs.into_iter().flatten().map(|(_, value)| number(&value)).max().unwrap_or(0)
    };
    all.iter().map(|value| number(value).max(named(value))).max().unwrap_or(0)
}
