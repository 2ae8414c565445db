//! A line's configuration, as the kernel takes it.

use gpiocdev_uapi::v2::{LineConfig, LineFlags, LineValues};

use crate::gpio::{Bias, Drive, Edges, LineRequest};

/// `output` is the level to drive; `None` makes it an input, which sees `edges`.
pub(super) fn config(
    request: &LineRequest,
    output: Option<bool>,
    edges: Option<Edges>,
) -> LineConfig {
    let mut config = LineConfig {
        flags: bias(request.bias),
        ..Default::default()
    };
    config.flags.set(LineFlags::ACTIVE_LOW, request.active_low);
    if let Some(high) = output {
        config.flags |= LineFlags::OUTPUT | drive(request.drive);
        config.add_values(&LineValues::from_slice(&[high]));
    } else {
        config.flags |= LineFlags::INPUT | seen(edges);
        if let Some(debounce) = request.debounce.filter(|debounce| !debounce.is_zero()) {
            // At least what was asked for.
            let micros = debounce.as_nanos().div_ceil(1_000);
            config.add_debounce(u32::try_from(micros).unwrap_or(u32::MAX), 1);
        }
    }
    config
}

fn bias(bias: Bias) -> LineFlags {
    match bias {
        Bias::AsIs => LineFlags::empty(),
        Bias::PullUp => LineFlags::BIAS_PULL_UP,
        Bias::PullDown => LineFlags::BIAS_PULL_DOWN,
        Bias::Disabled => LineFlags::BIAS_DISABLED,
    }
}

fn drive(drive: Drive) -> LineFlags {
    match drive {
        Drive::PushPull => LineFlags::empty(),
        Drive::OpenDrain => LineFlags::OPEN_DRAIN,
        Drive::OpenSource => LineFlags::OPEN_SOURCE,
    }
}

/// The kernel has edges only: a level is the edge with which it begins, and what
/// is found as the line is switched on.
fn seen(edges: Option<Edges>) -> LineFlags {
    match edges {
        None => LineFlags::empty(),
        Some(Edges::Rising | Edges::HighLevel) => LineFlags::EDGE_RISING,
        Some(Edges::Falling | Edges::LowLevel) => LineFlags::EDGE_FALLING,
        Some(Edges::Both) => LineFlags::EDGE_RISING | LineFlags::EDGE_FALLING,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gpiocdev_uapi::v2::LineAttributeValue;

    use super::*;
    use crate::gpio::Direction;

    #[test]
    fn an_input_has_its_edges_and_its_debounce() {
        let mut request = LineRequest::new("L", "test", Direction::Input);
        request.bias = Bias::PullUp;
        request.debounce = Some(Duration::from_nanos(5_000_001));
        let config = config(&request, None, Some(Edges::Both));
        let both = LineFlags::EDGE_RISING | LineFlags::EDGE_FALLING;
        assert_eq!(
            config.flags,
            LineFlags::INPUT | LineFlags::BIAS_PULL_UP | both
        );
        assert_eq!(config.num_attrs, 1);
        let debounce = config.attr(0).attr.to_value();
        assert_eq!(debounce, Some(LineAttributeValue::DebouncePeriod(5_001)));
    }

    #[test]
    fn an_output_has_its_level_and_its_drive() {
        let mut request = LineRequest::new("L", "test", Direction::Output { initial: true });
        request.drive = Drive::OpenDrain;
        request.active_low = true;
        let config = config(&request, Some(true), None);
        let flags = LineFlags::OUTPUT | LineFlags::OPEN_DRAIN | LineFlags::ACTIVE_LOW;
        assert_eq!(config.flags, flags);
        let level = config.attr(0).attr.to_value();
        assert_eq!(level, Some(LineAttributeValue::Values(1)));
    }

    #[test]
    fn a_level_is_the_edge_with_which_it_begins() {
        for (edges, flags) in [
            (Edges::HighLevel, LineFlags::EDGE_RISING),
            (Edges::LowLevel, LineFlags::EDGE_FALLING),
        ] {
            assert_eq!(seen(Some(edges)), flags);
        }
    }
}
