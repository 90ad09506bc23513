//! What a task knows of the variables that its file, the files around it and those beside it set.
//!
//! Task evaluates, for each task anew: the environment of all files, laid over each other; their
//! variables; what the includes that lead to the task give it; once more the variables, as the file
//! that includes it knows them. What comes out the same for all tasks is said once, at the top of the
//! document; the rest is said in the task.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    super::{model::TaskfileVariable, template::GoTemplate},
    Translator,
    instance::{Instance, LayeredVariable, layered},
    scope::{mentioned, of_node},
    task::TranslatedTask,
};

/// A variable, in the order in which a task learns of them.
struct ChainLink<'t> {
    variable: &'t TaskfileVariable,
    /// Where its command runs, relative to the workspace; where the task does if absent.
    dir: Option<PathBuf>,
    /// Whether it is one of those that all tasks know.
    is_common: bool,
}

impl<'t> ChainLink<'t> {
    fn name(&self) -> &'t str {
        &self.variable.name.value
    }
}

impl<'t> Translator<'t> {
    /// Gives the task the variables of files that are not the same for all tasks.
    pub(super) fn inherited(&self, draft: &mut TranslatedTask<'t>) {
        let known = &self.tasks[draft.at];
        let instance = &self.instances[known.instance];
        let mut wanted = BTreeSet::new();
        of_node(&known.task.node, &mut wanted);
        if let Some(dir) = instance.dir.as_ref().and_then(|dir| dir.to_str()) {
            wanted.extend(GoTemplate::parse(dir).iter().flat_map(GoTemplate::variables));
        }
        for one in self.layered_env(instance) {
            wanted.append(&mut mentioned(one.variable));
        }
        let mut needed = Vec::new();
        for link in self.chain(instance).into_iter().rev() {
            if wanted.remove(link.name()) {
                wanted.append(&mut mentioned(link.variable));
                needed.push(link);
            }
        }
        for link in needed.into_iter().rev() {
            let is_same = link.is_common
                && self.globals.has(link.variable)
                && !draft.scope.own.contains_key(link.name());
            if !is_same || self.is_bound(draft, link.variable) {
                // It knows those before it, as it does where all tasks know it.
                draft.scope.limit = self.globals.position(link.name()).filter(|_| link.is_common);
                Self::declare(draft, link.variable, link.dir.as_deref());
                draft.scope.limit = None;
            }
        }
    }

    /// What the environment of the files is for this task, where it is not the same for all.
    pub(super) fn own_environment(&self, draft: &TranslatedTask<'t>) -> Vec<LayeredVariable<'t>> {
        let known = &self.tasks[draft.at];
        let common = layered(self.tree, &self.tree.files[0], &[], |file| &file.env);
        let is_same = |one: &LayeredVariable<'t>| common.iter().any(|other| other.is(one.variable));
        let is_named = |one: &LayeredVariable| {
            known.task.env.iter().any(|own| own.name.value == one.variable.name.value)
        };
        let mut own = self.layered_env(&self.instances[known.instance]);
        own.retain(|one| {
            let is_own = !is_same(one) || self.is_taken_away(one.name());
            (is_own || self.is_bound(draft, one.variable)) && !is_named(one)
        });
        own
    }

    /// Whether a task that is said takes `name` out of its environment: then the file cannot say it for
    /// all tasks.
    pub(super) fn is_taken_away(&self, name: &str) -> bool {
        let takes = |at: &usize| {
            let mut env = self.tasks[*at].task.env.iter();
            env.any(|one| one.name.value == name && one.is_null())
        };
        self.globals.is_run() && self.reached.iter().any(takes)
    }

    fn layered_env(&self, instance: &Instance<'t>) -> Vec<LayeredVariable<'t>> {
        layered(self.tree, &self.tree.files[0], &instance.includes, |file| &file.env)
    }

    /// Whether `variable` looks at something that means something else in this task than everywhere.
    fn is_bound(&self, draft: &TranslatedTask, variable: &TaskfileVariable) -> bool {
        let is_root = self.instances[self.tasks[draft.at].instance].is_root();
        let is_own = |name: &String| match name.as_str() {
            "ROOT_DIR" | "USER_WORKING_DIR" => false,
            "TASKFILE_DIR" if is_root => false,
            _ => draft.scope.own.contains_key(name),
        };
        mentioned(variable).iter().any(is_own)
    }

    /// The variables that a task of `instance` knows before what it is given and has itself, in order.
    /// What the command line gives is none of them.
    fn chain(&self, instance: &Instance<'t>) -> Vec<ChainLink<'t>> {
        let root = &self.tree.files[0];
        let is_given = |name: &str| self.wish.given.words.contains_key(name);
        let here = |dir: Option<PathBuf>| Some(dir.unwrap_or_default());
        let vars = layered(self.tree, root, &instance.includes, |file| &file.vars);
        let common = self.layered_env(instance).into_iter().chain(vars);
        let common = common.filter(|one| !is_given(one.name()));
        let mut chain: Vec<ChainLink> = common
            .map(|one| ChainLink { variable: one.variable, dir: here(one.dir), is_common: true })
            .collect();
        let Some(first) = instance.includes.iter().position(|include| include.is_mapping) else {
            return chain;
        };
        let mut given: BTreeMap<&str, &TaskfileVariable> = BTreeMap::new();
        for include in instance.includes.iter().rev().filter(|include| include.is_mapping) {
            given.extend(include.vars.iter().map(|one| (one.name.value.as_str(), one)));
        }
        let mut changed: BTreeSet<String> = self.wish.given.words.keys().cloned().collect();
        for include in instance.includes.iter().rev().filter(|include| include.is_mapping) {
            for variable in &include.vars {
                if given
                    .get(variable.name.value.as_str())
                    .is_some_and(|one| std::ptr::eq(*one, variable))
                {
                    changed.insert(variable.name.value.clone());
                    chain.push(ChainLink { variable, dir: here(None), is_common: false });
                }
            }
        }
        let file = instance.above[first];
        for one in layered(self.tree, file, &instance.includes[first..], |file| &file.vars) {
            let is_known = chain.iter().any(|link| link.is_common && one.is(link.variable));
            let looks_at_changed = !mentioned(one.variable).is_disjoint(&changed);
            if !is_known || looks_at_changed || changed.contains(one.name()) {
                changed.insert(one.name().to_owned());
                chain.push(ChainLink { variable: one.variable, dir: one.dir, is_common: false });
            }
        }
        chain
    }
}
