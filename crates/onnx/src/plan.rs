//! The graph turned into steps over numbered slots, so that a run looks nothing up by name.
//!
//! What depends on no input is computed here, once; what no output depends on is left out.

use std::collections::HashMap;

use stemma_tensor::Tensor;

use crate::attributes::Attributes;
use crate::decode;
use crate::error::{OnnxError, RunError};
use crate::kernel::{
    Budget, Context, Domain, Kernel, KernelError, Operator, Outputs, Source, find, opset_range, supported_in,
};
use crate::proto::{GraphProto, NodeProto, OperatorSetIdProto};

/// One operator of a run.
struct Step {
    kernel: Box<dyn Kernel>,
    sources: Vec<Source>,
    /// The slot of each output, if anything reads it.
    targets: Vec<Option<usize>>,
    /// Slots that nothing reads any more afterwards.
    released: Vec<usize>,
    operator: &'static str,
    node: String,
}

pub(crate) struct Plan {
    constants: Vec<Tensor>,
    steps: Vec<Step>,
    slot_count: usize,
    /// The slot of each input of the model, in the order of its signature.
    inputs: Vec<usize>,
    outputs: Vec<Source>,
}

impl Plan {
    /// Plans a graph whose inputs are those named, in that order.
    pub(crate) fn new(
        graph: GraphProto,
        opsets: &[OperatorSetIdProto],
        inputs: &[String],
        outputs: &[String],
    ) -> Result<Self, OnnxError> {
        let mut planner = Planner::new(opsets)?;
        for initializer in graph.initializer {
            let name = initializer.name.clone().unwrap_or_default();
            let constant = planner.constant(decode::tensor(initializer)?);
            planner.define(name, constant)?;
        }
        let mut slots = Vec::with_capacity(inputs.len());
        for input in inputs {
            let slot = planner.slot();
            slots.push(slot);
            planner.define(input.clone(), Binding::Slot(slot))?;
        }
        for (number, node) in graph.node.into_iter().enumerate() {
            planner.node(number, node)?;
        }
        let outputs = outputs.iter().map(|output| planner.output(output)).collect::<Result<Vec<_>, _>>()?;
        Ok(planner.finish(slots, outputs))
    }

    pub(crate) fn run(&self, inputs: Vec<Tensor>, budget: &Budget) -> Result<Vec<Tensor>, RunError> {
        let mut slots: Vec<Option<Tensor>> = Vec::new();
        slots.resize_with(self.slot_count, || None);
        for (&slot, input) in self.inputs.iter().zip(inputs) {
            slots[slot] = Some(input);
        }
        for step in &self.steps {
            self.run_step(step, &mut slots, budget).map_err(|fault| step.failed(fault, budget))?;
        }
        let mut context = Context { sources: &self.outputs, constants: &self.constants, slots: &mut slots, budget };
        let outputs = (0..self.outputs.len()).map(|output| context.take(output));
        outputs.collect::<Result<_, _>>().map_err(|_| RunError::TooLarge {
            operator: "Identity",
            node: "the outputs".to_owned(),
            max: budget.max(),
        })
    }

    fn run_step(&self, step: &Step, slots: &mut [Option<Tensor>], budget: &Budget) -> Result<(), KernelError> {
        let mut context = Context { sources: &step.sources, constants: &self.constants, slots, budget };
        context.spend_reading()?;
        let outputs = step.kernel.run(&mut context)?;
        for &slot in &step.released {
            slots[slot] = None;
        }
        let mut store = |place: usize, tensor: Tensor| {
            if let Some(&Some(slot)) = step.targets.get(place) {
                slots[slot] = Some(tensor);
            }
        };
        match outputs {
            Outputs::One(tensor) => store(0, tensor),
            Outputs::Two(first, second) => {
                store(0, first);
                store(1, second);
            }
        }
        Ok(())
    }
}

impl Step {
    fn failed(&self, fault: KernelError, budget: &Budget) -> RunError {
        match fault {
            KernelError::Invalid(reason) => {
                RunError::Operator { operator: self.operator, node: self.node.clone(), reason }
            }
            KernelError::TooLarge => {
                RunError::TooLarge { operator: self.operator, node: self.node.clone(), max: budget.max() }
            }
        }
    }
}

/// Where a named value is while planning.
#[derive(Clone, Copy)]
enum Binding {
    Constant(usize),
    Slot(usize),
}

struct Planner {
    onnx_opset: Option<i64>,
    ml_opset: Option<i64>,
    values: HashMap<String, Binding>,
    constants: Vec<Tensor>,
    steps: Vec<Step>,
    slot_count: usize,
    /// What computing constants may still take, over the whole graph.
    folding: Budget,
}

impl Planner {
    fn new(opsets: &[OperatorSetIdProto]) -> Result<Self, OnnxError> {
        Ok(Self {
            onnx_opset: opset(opsets, Domain::Onnx)?,
            ml_opset: opset(opsets, Domain::Ml)?,
            values: HashMap::new(),
            constants: Vec::new(),
            steps: Vec::new(),
            slot_count: 0,
            folding: Budget::for_constants(),
        })
    }

    fn slot(&mut self) -> usize {
        self.slot_count += 1;
        self.slot_count - 1
    }

    fn constant(&mut self, tensor: Tensor) -> Binding {
        self.constants.push(tensor);
        Binding::Constant(self.constants.len() - 1)
    }

    fn define(&mut self, name: String, binding: Binding) -> Result<(), OnnxError> {
        match self.values.insert(name.clone(), binding) {
            None => Ok(()),
            Some(_) => Err(OnnxError::DuplicateValue { value: name }),
        }
    }

    fn node(&mut self, number: usize, mut node: NodeProto) -> Result<(), OnnxError> {
        let label = node_label(number, &node);
        let operator = self.operator(&label, &node)?;
        let invalid =
            |reason: String| OnnxError::InvalidNode { operator: operator.name.to_owned(), node: label.clone(), reason };
        let opset = match operator.domain {
            Domain::Onnx => self.onnx_opset,
            Domain::Ml => self.ml_opset,
        };
        let Some(opset) = opset else {
            let domain = operator.domain.as_str();
            return Err(invalid(format!("the model imports no version of operator set `{domain}`")));
        };
        // optional inputs at the end may be left out by name
        while node.input.last().is_some_and(String::is_empty) {
            node.input.pop();
        }
        let (least, most) = operator.inputs;
        if node.input.len() < least || node.input.len() > most {
            return Err(invalid(format!("it has {} inputs", node.input.len())));
        }
        if node.output.is_empty() || node.output.len() > operator.outputs {
            return Err(invalid(format!("it has {} outputs", node.output.len())));
        }
        let kernel = build(operator, opset, std::mem::take(&mut node.attribute)).map_err(|fault| {
            invalid(match fault {
                KernelError::Invalid(reason) => reason,
                KernelError::TooLarge => "it is too large".to_owned(),
            })
        })?;
        let sources = self.sources(&label, &node.input)?;
        let step =
            Step { kernel, sources, targets: Vec::new(), released: Vec::new(), operator: operator.name, node: label };
        if step.sources.iter().any(|source| matches!(source, Source::Slot { .. })) {
            self.push(step, node.output)
        } else {
            self.fold(step, node.output)
        }
    }

    fn operator(&self, label: &str, node: &NodeProto) -> Result<&'static Operator, OnnxError> {
        let name = node.op_type.as_deref().unwrap_or_default();
        let domain_name = node.domain.as_deref().unwrap_or_default();
        let domain = Domain::parse(domain_name);
        domain.and_then(|domain| find(domain, name)).ok_or_else(|| OnnxError::UnsupportedOperator {
            operator: name.to_owned(),
            domain: domain.map_or_else(|| domain_name.to_owned(), |domain| domain.as_str().to_owned()),
            node: label.to_owned(),
            supported: supported_in(domain),
        })
    }

    fn sources(&self, label: &str, inputs: &[String]) -> Result<Vec<Source>, OnnxError> {
        let source = |input: &String| {
            if input.is_empty() {
                return Ok(Source::Absent);
            }
            match self.values.get(input) {
                Some(&Binding::Constant(index)) => Ok(Source::Constant(index)),
                Some(&Binding::Slot(index)) => Ok(Source::Slot { index, last: false }),
                None => Err(OnnxError::UndefinedValue { node: label.to_owned(), value: input.clone() }),
            }
        };
        inputs.iter().map(source).collect()
    }

    fn push(&mut self, mut step: Step, outputs: Vec<String>) -> Result<(), OnnxError> {
        for output in outputs {
            if output.is_empty() {
                step.targets.push(None);
                continue;
            }
            let slot = self.slot();
            step.targets.push(Some(slot));
            self.define(output, Binding::Slot(slot))?;
        }
        self.steps.push(step);
        Ok(())
    }

    /// Computes now what depends on no input.
    fn fold(&mut self, step: Step, outputs: Vec<String>) -> Result<(), OnnxError> {
        let mut context =
            Context { sources: &step.sources, constants: &self.constants, slots: &mut [], budget: &self.folding };
        let computed = context.spend_reading().and_then(|()| step.kernel.run(&mut context));
        let computed = computed.map_err(|fault| {
            let reason = match fault {
                KernelError::Invalid(reason) => reason,
                KernelError::TooLarge => "the constants it makes are too large".to_owned(),
            };
            OnnxError::InvalidNode { operator: step.operator.to_owned(), node: step.node.clone(), reason }
        })?;
        let tensors = match computed {
            Outputs::One(tensor) => vec![tensor],
            Outputs::Two(first, second) => vec![first, second],
        };
        for (output, tensor) in outputs.into_iter().zip(tensors) {
            if !output.is_empty() {
                let constant = self.constant(tensor);
                self.define(output, constant)?;
            }
        }
        Ok(())
    }

    fn output(&self, name: &str) -> Result<Source, OnnxError> {
        match self.values.get(name) {
            Some(&Binding::Constant(index)) => Ok(Source::Constant(index)),
            Some(&Binding::Slot(index)) => Ok(Source::Slot { index, last: false }),
            None => Err(OnnxError::UndefinedOutput { output: name.to_owned() }),
        }
    }

    fn finish(mut self, inputs: Vec<usize>, mut outputs: Vec<Source>) -> Plan {
        let mut needed = vec![false; self.slot_count];
        mark_last_reads(&mut outputs, &mut needed);
        let mut kept = Vec::with_capacity(self.steps.len());
        for mut step in self.steps.drain(..).rev() {
            for target in &mut step.targets {
                *target = target.filter(|&slot| needed[slot]);
            }
            if step.targets.iter().any(Option::is_some) {
                step.released = mark_last_reads(&mut step.sources, &mut needed);
                kept.push(step);
            }
        }
        kept.reverse();
        Plan { constants: self.constants, steps: kept, slot_count: self.slot_count, inputs, outputs }
    }
}

/// Marks the last reader of each slot that no later one needs, and returns these slots.
///
/// A slot that is read twice at once is not given away but only released.
fn mark_last_reads(sources: &mut [Source], needed: &mut [bool]) -> Vec<usize> {
    let mut released = Vec::new();
    for source in sources.iter_mut() {
        if let Source::Slot { index, last } = source
            && !needed[*index]
        {
            needed[*index] = true;
            *last = true;
            released.push(*index);
        }
    }
    let slots: Vec<Source> = sources.to_vec();
    for source in sources {
        if let Source::Slot { index, last } = source {
            let reads_it = |other: &&Source| matches!(other, Source::Slot { index: same, .. } if same == index);
            *last &= slots.iter().filter(reads_it).count() == 1;
        }
    }
    released
}

fn build(
    operator: &Operator,
    opset: i64,
    attributes: Vec<crate::proto::AttributeProto>,
) -> Result<Box<dyn Kernel>, KernelError> {
    let mut attributes = Attributes::new(attributes);
    let kernel = (operator.build)(&mut attributes, opset)?;
    attributes.finish()?;
    Ok(kernel)
}

/// Names a node for people; writers may leave the name out.
fn node_label(number: usize, node: &NodeProto) -> String {
    match node.name.as_deref() {
        None | Some("") => format!("node {number}"),
        Some(name) => format!("node `{name}`"),
    }
}

fn opset(opsets: &[OperatorSetIdProto], domain: Domain) -> Result<Option<i64>, OnnxError> {
    let imported =
        opsets.iter().find(|opset| Domain::parse(opset.domain.as_deref().unwrap_or_default()) == Some(domain));
    let Some(imported) = imported else {
        return Ok(None);
    };
    let version = imported.version.unwrap_or_default();
    let (min, max) = opset_range(domain);
    if version < min || version > max {
        return Err(OnnxError::UnsupportedOpset { domain: domain.as_str(), version, min, max });
    }
    Ok(Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{TensorProto, data_type};

    fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        NodeProto {
            op_type: Some(operator.to_owned()),
            input: names(inputs),
            output: names(outputs),
            ..Default::default()
        }
    }

    fn constant(name: &str, elements: &[f32]) -> TensorProto {
        TensorProto {
            name: Some(name.to_owned()),
            dims: vec![elements.len() as i64],
            data_type: Some(data_type::FLOAT),
            float_data: elements.to_vec(),
            ..Default::default()
        }
    }

    fn planned(version: i64, nodes: Vec<NodeProto>, outputs: &[&str]) -> Result<Plan, OnnxError> {
        let graph = GraphProto { node: nodes, initializer: vec![constant("c", &[1.0, 2.0])], ..Default::default() };
        let opsets = [OperatorSetIdProto { domain: None, version: Some(version) }];
        let outputs: Vec<String> = outputs.iter().map(|&output| output.to_owned()).collect();
        Plan::new(graph, &opsets, &["x".to_owned()], &outputs)
    }

    fn refusal(nodes: Vec<NodeProto>) -> String {
        planned(21, nodes, &["y"]).err().expect("the graph is refused").to_string()
    }

    fn floats(elements: &[f32]) -> Tensor {
        Tensor::new(vec![elements.len()], elements.to_vec()).unwrap()
    }

    fn outputs(plan: &Plan, x: &[f32]) -> Vec<Tensor> {
        plan.run(vec![floats(x)], &Budget::for_run()).unwrap()
    }

    #[test]
    fn what_depends_on_no_input_is_computed_once_and_what_nothing_needs_never() {
        let nodes = vec![
            node("Add", &["c", "c"], &["twice"]),
            node("Exp", &["x"], &["unused"]),
            node("Mul", &["x", "twice"], &["y"]),
        ];
        let plan = planned(21, nodes, &["y"]).unwrap();
        let operators: Vec<&str> = plan.steps.iter().map(|step| step.operator).collect();
        assert_eq!(operators, ["Mul"]);
        assert_eq!(outputs(&plan, &[10.0, 100.0]), [floats(&[20.0, 400.0])]);
    }

    #[test]
    fn a_value_is_kept_as_long_as_something_reads_it() {
        let nodes = vec![
            node("Neg", &["x"], &["n"]),
            node("Mul", &["n", "n"], &["square"]),
            node("Abs", &["n"], &["a"]),
            node("Add", &["square", "a"], &["y"]),
        ];
        let plan = planned(21, nodes, &["y", "n", "n", "x", "c"]).unwrap();
        let expected = [&[12.0], &[-3.0], &[-3.0], &[3.0]].map(|elements| floats(elements));
        let found = outputs(&plan, &[3.0]);
        assert_eq!(found[..4], expected);
        assert_eq!(found[4], floats(&[1.0, 2.0]));
    }

    #[test]
    fn graphs_out_of_order_are_refused() {
        let unsorted = vec![node("Neg", &["z"], &["y"]), node("Abs", &["x"], &["z"])];
        assert_eq!(refusal(unsorted), "node 0 reads `z`, which nothing before it makes");
        let twice = vec![node("Neg", &["x"], &["y"]), node("Abs", &["x"], &["y"])];
        assert_eq!(refusal(twice), "`y` is made twice");
        assert_eq!(refusal(vec![]), "output `y` is made by nothing");
        assert_eq!(refusal(vec![node("Neg", &["x", "x"], &["y"])]), "operator `Neg` at node 0: it has 2 inputs");
    }

    #[test]
    fn versions_whose_meaning_is_unknown_are_refused() {
        let plan = |version| planned(version, vec![node("Neg", &["x"], &["y"])], &["y"]);
        assert!(plan(7).is_ok());
        for version in [6, 99] {
            assert!(matches!(plan(version), Err(OnnxError::UnsupportedOpset { domain: "ai.onnx", .. })));
        }
        let unnumbered = NodeProto { domain: Some("ai.onnx.ml".to_owned()), ..node("ZipMap", &["x"], &["y"]) };
        assert_eq!(
            refusal(vec![unnumbered]),
            "operator `ZipMap` at node 0: the model imports no version of operator set `ai.onnx.ml`"
        );
    }

    #[test]
    fn a_run_that_reads_or_makes_too_much_is_stopped() {
        let nodes = (0..40).map(|at| {
            let (from, to) = (format!("v{at}"), format!("v{}", at + 1));
            let from = if at == 0 { "x" } else { &from };
            node("Concat", &[from, from], &[&to])
        });
        let axis = crate::proto::AttributeProto { name: Some("axis".to_owned()), i: Some(0), ..Default::default() };
        let nodes = nodes.map(|node| NodeProto { attribute: vec![axis.clone()], ..node }).collect();
        let plan = planned(21, nodes, &["v40"]).unwrap();
        let error = plan.run(vec![floats(&[0.0])], &Budget::for_constants()).unwrap_err();
        assert!(matches!(error, RunError::TooLarge { operator: "Concat", .. }), "{error}");
    }
}
