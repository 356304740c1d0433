"""Distillation: pure functions of student and teacher, and the stages that train by them."""

from toolchain.distill.correlation_congruence import CorrelationCongruence as CorrelationCongruence
from toolchain.distill.distill import Distill as Distill
from toolchain.distill.exclusivity_consistency import ExclusivityConsistency as ExclusivityConsistency
from toolchain.distill.feature_consistency import FeatureConsistency as FeatureConsistency
from toolchain.distill.feature_consistency import feature_consistency as feature_consistency
from toolchain.distill.inherit import Inherit as Inherit
from toolchain.distill.probability_consistency import ProbabilityConsistency as ProbabilityConsistency
from toolchain.distill.similarity_consistency import SimilarityConsistency as SimilarityConsistency
from toolchain.distill.teachers import Teacher as Teacher
from toolchain.distill.trained_teacher import TrainedTeacher as TrainedTeacher
