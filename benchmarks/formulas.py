"""Correlations: the ufunc beside its NumPy twin and beside a loop over the scalar functions of `ht`."""
import ht
import numpy as np

from thermo import formulas


def gnielinski_numpy(Re, Pr, f_D):
    return f_D / 8 * (Re - 1000) * Pr / (1 + 12.7 * np.sqrt(f_D / 8) * (Pr ** (2 / 3) - 1))


def gnielinski_ht(Re, Pr, f_D):
    return np.array([ht.turbulent_Gnielinski(*x) for x in zip(Re, Pr, f_D, strict=True)])


def counterflow_numpy(NTU, C_r):
    e = np.exp(-NTU * (1 - C_r))
    return (1 - e) / (1 - C_r * e)


def counterflow_ht(NTU, C_r):
    return np.array([ht.effectiveness_from_NTU(*x, "counterflow") for x in zip(NTU, C_r, strict=True)])


class Correlation:
    """One call on arrays; the answers are compared before anything is timed."""

    params = [["gnielinski", "counterflow"], ["ufunc", "numpy", "ht"], [1, 10_000]]
    param_names = ["law", "implementation", "length"]

    def setup(self, law, implementation, length):
        draw = np.random.default_rng(20250301)
        ours, *others = {
            "gnielinski": (formulas.nusselt_gnielinski, gnielinski_numpy, gnielinski_ht),
            "counterflow": (formulas.effectiveness_counterflow, counterflow_numpy, counterflow_ht),
        }[law]
        ranges = {"gnielinski": [(3e3, 1e5), (0.7, 10), (0.02, 0.04)], "counterflow": [(0.1, 5), (0.1, 0.9)]}[law]
        self.arguments = [draw.uniform(low, high, length) for low, high in ranges]
        self.function = dict(zip(("ufunc", "numpy", "ht"), (ours, *others), strict=True))[implementation]
        if not np.allclose(self.function(*self.arguments), ours(*self.arguments), rtol=1e-12):
            raise NotImplementedError("the implementations disagree")

    def time_call(self, law, implementation, length):
        self.function(*self.arguments)


class Regimes:
    """Formulas that an engine evaluates often: the blend of regimes, an iterated one, moist air."""

    params = [["nusselt_duct", "friction_colebrook", "dew_point", "air_viscosity"]]
    param_names = ["law"]

    def setup(self, law):
        Re = np.random.default_rng(20250302).uniform(500, 20_000, 10_000)
        T = Re / 500
        self.arguments = {
            "nusselt_duct": (Re, 0.7, 0.1, 0.004, 0.07),
            "friction_colebrook": (Re, 1e-4),
            "dew_point": (T, 0.5),
            "air_viscosity": (T, 101325.0, 0.5),
        }[law]
        self.function = getattr(formulas, law)

    def time_call(self, law):
        self.function(*self.arguments)
