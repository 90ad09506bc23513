//! Products of constants. minijinja works out what is constant while it compiles a template, before
//! anything is counted: `'x' * 100000000` takes its 100 MB there.

use minijinja::machinery::{
    Span,
    ast::{BinOpKind, CallArg, Expr, Stmt},
};

use super::meter::weight;

/// What constants may make.
const MAX: u64 = 64 << 10;

/// Where the constants of a statement make more than they may.
pub fn heavy_statement(statement: &Stmt<'_>) -> Option<Span> {
    use Stmt as S;
    match statement {
        S::Template(all) => heavy_block(&all.children),
        S::EmitExpr(one) => heavy(&one.expr),
        S::ForLoop(each) => first([&each.target, &each.iter].into_iter().chain(&each.filter_expr))
            .or_else(|| heavy_block(&each.body))
            .or_else(|| heavy_block(&each.else_body)),
        S::IfCond(cond) => heavy(&cond.expr)
            .or_else(|| heavy_block(&cond.true_body))
            .or_else(|| heavy_block(&cond.false_body)),
        S::WithBlock(with) => first(with.assignments.iter().flat_map(|(to, what)| [to, what]))
            .or_else(|| heavy_block(&with.body)),
        S::Set(set) => first([&set.target, &set.expr]),
        S::SetBlock(set) => {
            first([&set.target].into_iter().chain(&set.filter)).or_else(|| heavy_block(&set.body))
        }
        S::AutoEscape(block) => heavy(&block.enabled).or_else(|| heavy_block(&block.body)),
        S::FilterBlock(block) => heavy(&block.filter).or_else(|| heavy_block(&block.body)),
        S::Macro(one) => {
            first(one.args.iter().chain(&one.defaults)).or_else(|| heavy_block(&one.body))
        }
        S::CallBlock(block) => heavy(&block.call.expr)
            .or_else(|| arguments(&block.call.args))
            .or_else(|| first(block.macro_decl.args.iter().chain(&block.macro_decl.defaults)))
            .or_else(|| heavy_block(&block.macro_decl.body)),
        S::Do(one) => heavy(&one.call.expr).or_else(|| arguments(&one.call.args)),
        S::Block(block) => heavy_block(&block.body),
        S::Import(import) => first([&import.expr, &import.name]),
        S::FromImport(import) => heavy(&import.expr),
        S::Extends(extends) => heavy(&extends.name),
        S::Include(include) => heavy(&include.name),
        S::EmitRaw(_) | S::Continue(_) | S::Break(_) => None,
    }
}

/// Where the constants of an expression make more than they may.
pub fn heavy(expression: &Expr<'_>) -> Option<Span> {
    parts(expression).or_else(|| heavy_product(expression))
}

/// Its parts are not too heavy, so they can be worked out.
fn heavy_product(expression: &Expr<'_>) -> Option<Span> {
    let Expr::BinOp(operation) = expression else { return None };
    if !matches!(operation.op, BinOpKind::Mul | BinOpKind::Add | BinOpKind::Concat) {
        return None;
    }
    let (left, right) = (operation.left.as_const()?, operation.right.as_const()?);
    let weights = (weight(&left).ok()?, weight(&right).ok()?);
    let made = match operation.op {
        BinOpKind::Mul => weights.0.repeated(&left, &right).max(weights.1.repeated(&right, &left)),
        _ => weights.0.made() + weights.1.made(),
    };
    (made > MAX).then(|| expression.span())
}

fn parts(expression: &Expr<'_>) -> Option<Span> {
    match expression {
        Expr::Var(_) | Expr::Const(_) => None,
        Expr::Slice(slice) => first(
            [&slice.expr].into_iter().chain(&slice.start).chain(&slice.stop).chain(&slice.step),
        ),
        Expr::UnaryOp(operation) => heavy(&operation.expr),
        Expr::BinOp(operation) => first([&operation.left, &operation.right]),
        Expr::Compare(compared) => {
            first([&compared.expr].into_iter().chain(compared.ops.iter().map(|op| &op.expr)))
        }
        Expr::IfExpr(cond) => {
            first([&cond.test_expr, &cond.true_expr].into_iter().chain(&cond.false_expr))
        }
        Expr::Filter(filter) => first(&filter.expr).or_else(|| arguments(&filter.args)),
        Expr::Test(test) => heavy(&test.expr).or_else(|| arguments(&test.args)),
        Expr::GetAttr(attribute) => heavy(&attribute.expr),
        Expr::GetItem(item) => first([&item.expr, &item.subscript_expr]),
        Expr::Call(call) => heavy(&call.expr).or_else(|| arguments(&call.args)),
        Expr::List(list) => first(&list.items),
        Expr::Tuple(tuple) => first(&tuple.items),
        Expr::Map(map) => first(map.keys.iter().chain(&map.values)),
    }
}

fn heavy_block(statements: &[Stmt<'_>]) -> Option<Span> {
    statements.iter().find_map(heavy_statement)
}

fn first<'a, 's: 'a>(expressions: impl IntoIterator<Item = &'a Expr<'s>>) -> Option<Span> {
    expressions.into_iter().find_map(heavy)
}

fn arguments(arguments: &[CallArg<'_>]) -> Option<Span> {
    arguments.iter().find_map(|argument| match argument {
        CallArg::Pos(one)
        | CallArg::Kwarg(_, one)
        | CallArg::PosSplat(one)
        | CallArg::KwargSplat(one) => heavy(one),
    })
}
