//! Which operators there are, by name.

use super::{Kernel, KernelError};
use super::{
    arrange, cast, elementwise, encode, linear, matrix, pairwise, reduce, scale, select, shape, softmax, trees,
};
use crate::attributes::Attributes;

/// A family of operators with version numbers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// `ai.onnx`, mostly written as the empty string.
    Onnx,
    /// `ai.onnx.ml`.
    Ml,
}

impl Domain {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "ai.onnx" => Some(Self::Onnx),
            "ai.onnx.ml" => Some(Self::Ml),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Onnx => "ai.onnx",
            Self::Ml => "ai.onnx.ml",
        }
    }
}

/// The versions of a domain whose meaning the kernels implement.
///
/// Before version 7 of `ai.onnx` broadcasting followed other rules.
pub(crate) fn opset_range(domain: Domain) -> (i64, i64) {
    match domain {
        Domain::Onnx => (7, 28),
        Domain::Ml => (1, 5),
    }
}

pub(crate) type Build = fn(&mut Attributes, i64) -> Result<Box<dyn Kernel>, KernelError>;

/// An operator by name: how many inputs and outputs it has and what makes its kernel.
pub(crate) struct Operator {
    pub(crate) domain: Domain,
    pub(crate) name: &'static str,
    pub(crate) inputs: (usize, usize),
    pub(crate) outputs: usize,
    pub(crate) build: Build,
}

const MANY: usize = usize::MAX;

macro_rules! operators {
    ($($domain:ident $name:literal $min:literal..$max:tt => $outputs:literal $build:expr;)+) => {
        &[$(Operator {
            domain: Domain::$domain,
            name: $name,
            inputs: ($min, $max),
            outputs: $outputs,
            build: $build,
        }),+]
    };
}

static OPERATORS: &[Operator] = operators! {
    Ml "ArrayFeatureExtractor" 2..2 => 1 select::array_feature_extractor;
    Ml "Binarizer" 1..1 => 1 scale::binarizer;
    Ml "CategoryMapper" 1..1 => 1 encode::category_mapper;
    Ml "FeatureVectorizer" 1..MANY => 1 arrange::feature_vectorizer;
    Ml "Imputer" 1..1 => 1 scale::imputer;
    Ml "LabelEncoder" 1..1 => 1 encode::label_encoder;
    Ml "LinearClassifier" 1..1 => 2 linear::classifier;
    Ml "LinearRegressor" 1..1 => 1 linear::regressor;
    Ml "Normalizer" 1..1 => 1 scale::normalizer;
    Ml "OneHotEncoder" 1..1 => 1 encode::one_hot_encoder;
    Ml "Scaler" 1..1 => 1 scale::scaler;
    Ml "TreeEnsemble" 1..1 => 1 trees::ensemble;
    Ml "TreeEnsembleClassifier" 1..1 => 2 trees::classifier;
    Ml "TreeEnsembleRegressor" 1..1 => 1 trees::regressor;
    Ml "ZipMap" 1..1 => 1 arrange::zip_map;
    Onnx "Abs" 1..1 => 1 elementwise::abs;
    Onnx "Add" 2..2 => 1 pairwise::add;
    Onnx "And" 2..2 => 1 pairwise::and;
    Onnx "ArgMax" 1..1 => 1 reduce::arg_max;
    Onnx "ArgMin" 1..1 => 1 reduce::arg_min;
    Onnx "Cast" 1..1 => 1 cast::cast;
    Onnx "Ceil" 1..1 => 1 elementwise::ceil;
    Onnx "Clip" 1..3 => 1 elementwise::clip;
    Onnx "Concat" 1..MANY => 1 arrange::concat;
    Onnx "Constant" 0..0 => 1 shape::constant;
    Onnx "ConstantOfShape" 1..1 => 1 shape::constant_of_shape;
    Onnx "Div" 2..2 => 1 pairwise::div;
    Onnx "Equal" 2..2 => 1 pairwise::equal;
    Onnx "Erf" 1..1 => 1 elementwise::erf;
    Onnx "Exp" 1..1 => 1 elementwise::exp;
    Onnx "Expand" 2..2 => 1 shape::expand;
    Onnx "Flatten" 1..1 => 1 shape::flatten;
    Onnx "Floor" 1..1 => 1 elementwise::floor;
    Onnx "Gather" 2..2 => 1 select::gather;
    Onnx "GatherElements" 2..2 => 1 select::gather_elements;
    Onnx "Gemm" 2..3 => 1 matrix::gemm;
    Onnx "Greater" 2..2 => 1 pairwise::greater;
    Onnx "GreaterOrEqual" 2..2 => 1 pairwise::greater_or_equal;
    Onnx "Identity" 1..1 => 1 shape::identity;
    Onnx "IsNaN" 1..1 => 1 elementwise::is_nan;
    Onnx "Less" 2..2 => 1 pairwise::less;
    Onnx "LessOrEqual" 2..2 => 1 pairwise::less_or_equal;
    Onnx "Log" 1..1 => 1 elementwise::log;
    Onnx "LogSoftmax" 1..1 => 1 softmax::log_softmax;
    Onnx "MatMul" 2..2 => 1 matrix::mat_mul;
    Onnx "Max" 1..MANY => 1 pairwise::max;
    Onnx "Min" 1..MANY => 1 pairwise::min;
    Onnx "Mul" 2..2 => 1 pairwise::mul;
    Onnx "Neg" 1..1 => 1 elementwise::neg;
    Onnx "Not" 1..1 => 1 elementwise::not;
    Onnx "Or" 2..2 => 1 pairwise::or;
    Onnx "Pow" 2..2 => 1 pairwise::pow;
    Onnx "Reciprocal" 1..1 => 1 elementwise::reciprocal;
    Onnx "ReduceL1" 1..2 => 1 reduce::reduce_l1;
    Onnx "ReduceL2" 1..2 => 1 reduce::reduce_l2;
    Onnx "ReduceLogSumExp" 1..2 => 1 reduce::reduce_log_sum_exp;
    Onnx "ReduceMax" 1..2 => 1 reduce::reduce_max;
    Onnx "ReduceMean" 1..2 => 1 reduce::reduce_mean;
    Onnx "ReduceMin" 1..2 => 1 reduce::reduce_min;
    Onnx "ReduceProd" 1..2 => 1 reduce::reduce_prod;
    Onnx "ReduceSum" 1..2 => 1 reduce::reduce_sum;
    Onnx "ReduceSumSquare" 1..2 => 1 reduce::reduce_sum_square;
    Onnx "Relu" 1..1 => 1 elementwise::relu;
    Onnx "Reshape" 2..2 => 1 shape::reshape;
    Onnx "Round" 1..1 => 1 elementwise::round;
    Onnx "Shape" 1..1 => 1 shape::shape_of;
    Onnx "Sigmoid" 1..1 => 1 elementwise::sigmoid;
    Onnx "Sign" 1..1 => 1 elementwise::sign;
    Onnx "Slice" 1..5 => 1 select::slice;
    Onnx "Softmax" 1..1 => 1 softmax::softmax;
    Onnx "Softplus" 1..1 => 1 elementwise::softplus;
    Onnx "Sqrt" 1..1 => 1 elementwise::sqrt;
    Onnx "Squeeze" 1..2 => 1 shape::squeeze;
    Onnx "Sub" 2..2 => 1 pairwise::sub;
    Onnx "Sum" 1..MANY => 1 pairwise::sum;
    Onnx "Tanh" 1..1 => 1 elementwise::tanh;
    Onnx "TopK" 2..2 => 2 select::top_k;
    Onnx "Transpose" 1..1 => 1 shape::transpose;
    Onnx "Unsqueeze" 1..2 => 1 shape::unsqueeze;
    Onnx "Where" 3..3 => 1 pairwise::select;
    Onnx "Xor" 2..2 => 1 pairwise::xor;
};

pub(crate) fn find(domain: Domain, name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.domain == domain && operator.name == name)
}

/// Returns the names of a domain's operators, sorted.
pub(crate) fn supported_in(domain: Option<Domain>) -> Vec<&'static str> {
    OPERATORS
        .iter()
        .filter(|operator| domain.is_none_or(|domain| operator.domain == domain))
        .map(|operator| operator.name)
        .collect()
}

/// Returns every operator that a model may use, as (domain, name), sorted.
pub fn supported_operators() -> impl Iterator<Item = (&'static str, &'static str)> {
    OPERATORS.iter().map(|operator| (operator.domain.as_str(), operator.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_listed_once_and_in_order() {
        let mut names: Vec<_> = supported_operators().map(|(domain, name)| (domain == "ai.onnx", name)).collect();
        let listed = names.clone();
        names.sort();
        names.dedup();
        assert_eq!(names, listed);
    }
}
