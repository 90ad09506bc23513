//! Guards in compiled templates. minijinja bounds how many instructions a template runs, not what
//! each of them makes: forty times `x ~ x` is a terabyte. Its operators cannot be replaced, so the
//! instructions of each template are copied before they run, with a call of a guard before those
//! that read or make something and after those whose result may be worked out late.

use std::{collections::BTreeMap, sync::Arc};

use minijinja::{
    Environment, Error, State, Value,
    machinery::{Instruction, Instructions},
    value::{Object, ObjectRepr},
};

use super::meter::{Total, settle};

/// What a guard does with what the instruction works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// Charges for reading all operands.
    Compared,
    /// Charges for making one of two operands.
    Joined,
    /// Charges for a text or list that is made of another some times, and for reading numbers.
    Product,
    /// Charges for cutting an item out of a text.
    Item,
    /// Charges for a value that a namespace is to keep.
    Kept,
    /// Charges for a value that was made.
    Made,
    /// Charges nothing, and works out what is worked out late.
    Settled,
}

/// No template can write these names.
const NAMES: [(Duty, &str); 7] = [
    (Duty::Compared, "guard compared"),
    (Duty::Joined, "guard joined"),
    (Duty::Product, "guard product"),
    (Duty::Item, "guard item"),
    (Duty::Kept, "guard kept"),
    (Duty::Made, "guard made"),
    (Duty::Settled, "guard settled"),
];

#[derive(Debug)]
struct Guard {
    duty: Duty,
    total: Arc<Total>,
}

/// Adds the guards that [`guarded`] templates call.
pub fn add(environment: &mut Environment<'static>, total: &Arc<Total>) {
    for (duty, name) in NAMES {
        let guard = Guard { duty, total: Arc::clone(total) };
        environment.add_global(name, Value::from_object(guard));
    }
}

impl Object for Guard {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State, args: &[Value]) -> Result<Value, Error> {
        let cost = self.cost(state, args)?;
        self.total.charge(state, cost)?;
        match (self.duty, args) {
            (Duty::Made | Duty::Settled, [only]) => Ok(settle(only.clone())),
            // Unpacked again, the last one comes first.
            _ => Ok(Value::from(args.iter().rev().cloned().collect::<Vec<_>>())),
        }
    }
}

impl Guard {
    fn cost(&self, state: &mut State, args: &[Value]) -> Result<u64, Error> {
        let total = &*self.total;
        let mut cost = 0_u64;
        match (self.duty, args) {
            (Duty::Settled, _) => {}
            (Duty::Item, [base, ..]) => {
                cost = base.as_str().map_or(0, |text| text.len() as u64 / 16);
            }
            (Duty::Kept, [value, _]) => cost = total.weigh_part(state, value)?.read(),
            (Duty::Product, [first, second]) => {
                let (once, times) = (total.weigh(state, first)?, total.weigh(state, second)?);
                cost = once.repeated(first, second).max(times.repeated(second, first));
            }
            (duty, operands) => {
                for operand in operands {
                    let weight = total.weigh(state, operand)?;
                    let is_read = duty == Duty::Compared;
                    cost += if is_read { weight.read() } else { weight.made() };
                }
            }
        }
        Ok(cost)
    }
}

/// These instructions with guards around those that may cost much.
pub fn guarded<'s>(plain: &Instructions<'s>) -> Instructions<'s> {
    let all = || (0..).map_while(|at| Some((at, plain.get(at)?)));
    let mut starts = Vec::new();
    let mut next = 0;
    for (_, instruction) in all() {
        starts.push(next);
        next += expanded(instruction).len() as u32;
    }
    starts.push(next);
    let mut guarded = Instructions::new(plain.name(), plain.source());
    for (at, instruction) in all() {
        for mut instruction in expanded(instruction) {
            retarget(&mut instruction, &starts);
            match (plain.get_span(at), plain.get_line(at)) {
                (Some(span), _) => guarded.add_with_span(instruction, span),
                (None, Some(line)) => guarded.add_with_line(instruction, line as u16),
                (None, None) => guarded.add(instruction),
            };
        }
    }
    guarded
}

/// The blocks of a template, guarded.
pub fn guarded_blocks<'s>(
    blocks: &BTreeMap<&'s str, Instructions<'s>>,
) -> BTreeMap<&'s str, Instructions<'s>> {
    blocks.iter().map(|(name, block)| (*name, guarded(block))).collect()
}

fn expanded<'s>(instruction: &Instruction<'s>) -> Vec<Instruction<'s>> {
    let before_many = |duty, count| {
        vec![call(duty, count), Instruction::UnpackList(count.into()), instruction.clone()]
    };
    let before = |duty| before_many(duty, 2);
    let after = |duty| vec![instruction.clone(), call(duty, 1)];
    match instruction {
        Instruction::Add => {
            let mut all = before(Duty::Joined);
            all.push(call(Duty::Settled, 1));
            all
        }
        Instruction::Mul => {
            let mut all = before(Duty::Product);
            all.push(call(Duty::Settled, 1));
            all
        }
        Instruction::StringConcat => before(Duty::Joined),
        Instruction::Eq
        | Instruction::Ne
        | Instruction::Gt
        | Instruction::Gte
        | Instruction::Lt
        | Instruction::Lte
        | Instruction::In
        | Instruction::CompareAndPreserve(_) => before(Duty::Compared),
        Instruction::CallMethod(_, Some(count)) if *count > 0 => {
            before_many(Duty::Compared, *count)
        }
        // What `f(*list)` and `x.m(*list)` are called with, `x` too.
        Instruction::UnpackLists(count) => match u16::try_from(*count) {
            Ok(count) if count > 0 => before_many(Duty::Compared, count),
            _ => vec![instruction.clone()],
        },
        Instruction::GetItem => before(Duty::Item),
        Instruction::SetAttr(_) => before(Duty::Kept),
        Instruction::Slice
        | Instruction::BuildList(_)
        | Instruction::BuildTuple(_)
        | Instruction::BuildMap(_) => after(Duty::Made),
        // As a value, it goes through the formatter, which charges for it.
        Instruction::EmitRaw(text) => vec![
            Instruction::LoadConst(Value::from_safe_string((*text).to_owned())),
            Instruction::Emit,
        ],
        other => vec![other.clone()],
    }
}

fn call<'s>(duty: Duty, operands: u16) -> Instruction<'s> {
    let name = NAMES.iter().find(|(other, _)| *other == duty).map_or("", |(_, name)| name);
    Instruction::CallFunction(name, Some(operands))
}

/// Where a jump went to the instruction of an old place, it goes to where that begins now.
fn retarget(instruction: &mut Instruction, starts: &[u32]) {
    match instruction {
        Instruction::Jump(target)
        | Instruction::JumpIfFalse(target)
        | Instruction::JumpIfFalseOrPop(target)
        | Instruction::JumpIfTrueOrPop(target)
        | Instruction::Iterate(target)
        | Instruction::BuildMacro(_, target, _) => {
            *target = starts.get(*target as usize).copied().unwrap_or(*target);
        }
        _ => {}
    }
}
