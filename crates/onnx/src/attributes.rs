//! The attributes of one operator, read by name and type; what is left unread at the end is an error.

use stemma_tensor::Tensor;

use crate::decode;
use crate::kernel::KernelError;
use crate::proto::{AttributeProto, attribute_type};

pub(crate) struct Attributes {
    unread: Vec<AttributeProto>,
}

impl Attributes {
    pub(crate) fn new(attributes: Vec<AttributeProto>) -> Self {
        Self { unread: attributes }
    }

    pub(crate) fn int(&mut self, name: &str) -> Result<Option<i64>, KernelError> {
        let found = self.take(name, attribute_type::INT)?;
        Ok(found.map(|attribute| attribute.i.unwrap_or_default()))
    }

    pub(crate) fn int_or(&mut self, name: &str, default: i64) -> Result<i64, KernelError> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// Zero or one.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> Result<bool, KernelError> {
        match self.int_or(name, i64::from(default))? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(KernelError::invalid(format!("attribute `{name}` is {other}, not 0 or 1"))),
        }
    }

    pub(crate) fn float(&mut self, name: &str) -> Result<Option<f32>, KernelError> {
        let found = self.take(name, attribute_type::FLOAT)?;
        Ok(found.map(|attribute| attribute.f.unwrap_or_default()))
    }

    pub(crate) fn float_or(&mut self, name: &str, default: f32) -> Result<f32, KernelError> {
        Ok(self.float(name)?.unwrap_or(default))
    }

    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>, KernelError> {
        let Some(found) = self.take(name, attribute_type::STRING)? else {
            return Ok(None);
        };
        let text = String::from_utf8(found.s.unwrap_or_default());
        text.map(Some).map_err(|_| KernelError::invalid(format!("attribute `{name}` is not UTF-8")))
    }

    pub(crate) fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>, KernelError> {
        let found = self.take(name, attribute_type::INTS)?;
        Ok(found.map(|attribute| attribute.ints))
    }

    pub(crate) fn floats(&mut self, name: &str) -> Result<Option<Vec<f32>>, KernelError> {
        let found = self.take(name, attribute_type::FLOATS)?;
        Ok(found.map(|attribute| attribute.floats))
    }

    pub(crate) fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, KernelError> {
        let Some(found) = self.take(name, attribute_type::STRINGS)? else {
            return Ok(None);
        };
        let texts = decode::strings(found.strings);
        texts.map(Some).map_err(|reason| KernelError::invalid(format!("attribute `{name}`: {reason}")))
    }

    pub(crate) fn tensor(&mut self, name: &str) -> Result<Option<Tensor>, KernelError> {
        let Some(found) = self.take(name, attribute_type::TENSOR)? else {
            return Ok(None);
        };
        let Some(proto) = found.t else {
            return Err(KernelError::invalid(format!("attribute `{name}` is empty")));
        };
        let tensor = decode::tensor(proto);
        tensor.map(Some).map_err(|error| KernelError::invalid(format!("attribute `{name}`: {error}")))
    }

    /// Drops an attribute that has no bearing on the result.
    pub(crate) fn ignore(&mut self, name: &str) {
        self.unread.retain(|attribute| attribute.name.as_deref() != Some(name));
    }

    /// Refuses the operator if it has attributes that nothing asked for: they might change what it means.
    pub(crate) fn finish(self) -> Result<(), KernelError> {
        match self.unread.first() {
            None => Ok(()),
            Some(attribute) => Err(KernelError::invalid(format!(
                "attribute `{}` is not supported",
                attribute.name.as_deref().unwrap_or_default()
            ))),
        }
    }

    fn take(&mut self, name: &str, wanted: i32) -> Result<Option<AttributeProto>, KernelError> {
        let position = self.unread.iter().position(|attribute| attribute.name.as_deref() == Some(name));
        let Some(position) = position else {
            return Ok(None);
        };
        let attribute = self.unread.swap_remove(position);
        if attribute.ref_attr_name.as_deref().is_some_and(|name| !name.is_empty()) {
            return Err(KernelError::invalid(format!(
                "attribute `{name}` refers to a function's, which is not supported"
            )));
        }
        // Writers of the first format versions left the type out.
        let written = attribute.r#type.unwrap_or_default();
        if written != 0 && written != wanted {
            return Err(KernelError::invalid(format!("attribute `{name}` is of type {written}, not {wanted}")));
        }
        Ok(Some(attribute))
    }
}

/// Returns a required attribute, or says which is missing.
pub(crate) fn required<T>(name: &str, value: Option<T>) -> Result<T, KernelError> {
    value.ok_or_else(|| KernelError::invalid(format!("attribute `{name}` is missing")))
}
