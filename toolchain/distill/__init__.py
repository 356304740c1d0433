"""Distillation: pure functions of student and teacher, and the stages that train by them."""

from toolchain.distill.distill import Distill as Distill
from toolchain.distill.feature_consistency import feature_consistency as feature_consistency
from toolchain.distill.inherit import Inherit as Inherit
from toolchain.distill.teachers import Teacher as Teacher
