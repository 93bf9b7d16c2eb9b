"""Planted faults: a file, what stands there, what is put in its place, and the tests that see it.

A file is named by the end of its path. `old` stands there once; a test holds the table to that.
"""
# ruff: noqa: E501

from typing import NamedTuple

__all__ = ["ACCEPTED", "FAULTS", "Fault"]


class Fault(NamedTuple):
    """One planted fault."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


ACCEPTED: dict[tuple[str, str], str] = {}
"""Survivors that are no faults, (file, new) -> why."""

_CHECKS = "tests/theory_checks/checks"
_D = "tests/optzoo"
_LOOP = f"{_D}/test_distributed_methods.py::test_deterministic_methods_are_their_statements"
_OUTCOME = f"{_D}/test_distributed_methods.py::test_every_step_of_a_random_method_is_an_outcome_of_its_statement"
_T = "tests/theory_checks"
_PEP = "tests/theory_checks/worst_case/pep"
_PROJECTION_FREE = f"{_T}/test_projection_free_methods_claims.py"
_PLANS = f"{_PROJECTION_FREE}::test_plans_are_what_the_shipped_methods_do"
_ON_DATA = "tests/benchmarks/test_frank_wolfe_on_data.py"
_NEWTON = "test_newton_schulz_polynomial_is_within_its_bounds_and_takes_every_step_of_it"
_BEST = "test_newton_schulz_steps_are_the_best_and_leave_room_for_round_off"
_TOLERANCE = "test_a_tolerance_is_what_the_singular_values_may_lack_and_no_more"

_TABLE: dict[tuple[str, ...], dict[str, list[tuple[str, str]]]] = {
    (f"{_CHECKS}/test_exact.py",): {
        "checks/exact.py": [
            ("np.maximum(self.tolerance * np.abs(said), self.round_off)", "np.maximum(self.tolerance * np.abs(said).max(), self.round_off)"),
            ("np.maximum(self.tolerance * np.abs(said), self.round_off)", "self.tolerance * np.abs(said)"),
            ("np.maximum(self.tolerance * np.abs(said), self.round_off)", "np.maximum(2 * self.tolerance * np.abs(said), self.round_off)"),
            ("np.asarray(said - measured > self._allowed(said))", "np.asarray(measured - said > self._allowed(said))"),
            ("np.asarray(measured - said > self._allowed(said))", "np.asarray(measured - said - 1e-3 > self._allowed(said))"),
            ("        off = np.abs(measured - exact)\n", "        off = measured - exact\n"),
            ("_CASES_KEPT = 60", "_CASES_KEPT = 59"),
            ("np.argsort(ratio if from_below else -ratio", "np.argsort(-ratio if from_below else ratio"),
            ("bool(detectable > laboratory.protocol.vacuous)", "bool(detectable > 10.0)"),
            ("bool(detectable > laboratory.protocol.vacuous)", "False"),
            ("max(extreme, 0.0) if from_below", "extreme if from_below"),
            ("1 / extreme if extreme > 0 else np.inf", "1 / extreme"),
            ("judged = (bound != 0) & (violated | (check.tolerance * size >= check.round_off))", "judged = bound != 0"),
            ("if left.ndim != 1 or left.shape != right.shape or left.size == 0:", "if left.shape != right.shape:"),
            ("    _require_finite(left, right)\n", ""),
            ('verdict="REFUTED" if violated.any() else "CONSISTENT",\n        decided=(\n            f"{check', 'verdict="REFUTED" if violated.all() else "CONSISTENT",\n        decided=(\n            f"{check'),
        ],
    },
    (f"{_CHECKS}/test_bounds.py",): {
        "checks/bounds.py": [
            ("if self.uncertainty > 0.01 * smallest:", "if self.uncertainty > 1.0 * smallest:"),
            ("if self.uncertainty > 0.01 * smallest:", "if self.uncertainty > 0.001 * smallest:"),
            ("smallest = float(np.min(verdict.mean * bound))", "smallest = float(np.max(verdict.mean * bound))"),
            ("sample[:, -len(points) :] / bound", "sample[:, : len(points)] / bound"),
            ("return points[-1:] if self.last_only else points", "return points[:1] if self.last_only else points"),
            ("numbers(self.cap) / bound", "numbers(self.cap)"),
            ("                certain=self.certain,\n", ""),
            ("np.logical_or.accumulate(np.isposinf(values), axis=1)", "np.isposinf(values).any(axis=1, keepdims=True)"),
            ("np.logical_or.accumulate(np.isposinf(values), axis=1)", "np.isinf(values)"),
            ("~infinite & (np.isnan(values) | np.isneginf(values))", "~infinite & np.isneginf(values)"),
            ("~infinite & (np.isnan(values) | np.isneginf(values))", "~infinite & np.isnan(values)"),
            ("    return bool(infinite.any())", "    return False"),
            ("if values.shape != (points,) or not np.all(values > 0):", "if values.shape != (points,):"),
            ("if values.shape != (points,) or not np.all(values > 0):", "if not np.all(values > 0):"),
            ("            paths / bound,\n", "            bound / paths,\n"),
            ("            vacuous=laboratory.protocol.vacuous,\n            points", "            vacuous=100.0,\n            points"),
            ("for doublings in range(3):", "for doublings in range(1):"),
            ("seeds = 2**doublings * self.looks * laboratory.seeds", "seeds = 2**doublings * laboratory.seeds"),
            ("left - right, within=self._within(right[0])", "left - right, within=None"),
            ("resolves = float(np.max(test.resolves / np.abs(exact)))", "resolves = float(np.min(test.resolves))"),
            ("unseen=laboratory.protocol.unseen(len(table))", "unseen=laboratory.protocol.unseen(laboratory.seeds)"),
            ("verdict.finite_upper * bound", "verdict.finite_upper"),
            ("            upper=verdict.upper * bound,\n            bound=bound,\n            lower_bound", "            upper=verdict.upper,\n            bound=bound,\n            lower_bound"),
        ],
    },
    (f"{_CHECKS}/test_laws.py",): {
        "checks/exponents.py": [
            ("[self.metric][:, -1] for e in self.experiments]", "[self.metric][:, 0] for e in self.experiments]"),
            ("law_exponent(self.theta, values, stated=self.stated, relation=self.relation)", "law_exponent(self.theta, values, stated=self.stated)"),
            ("            relation=self.relation,\n", "            relation=\"at_most\",\n"),
            ("            window=self.window,\n", "            window=(1, 1000),\n"),
            ("[sample[f\"{self.metric}@{j}\"].mean(axis=1)", "[sample[f\"{self.metric}@{j}\"][:, 0]"),
            ("self.experiment.checkpoints if self.points is None else self.points", "self.experiment.checkpoints"),
            ("np.asarray(self.base) ** self.stated", "np.asarray(self.base)"),
            ("bound=None if self.base is None else np.asarray(self.base) ** self.stated", "bound=None"),
            ("        if len(self.experiments) == 1:\n", "        if False:\n"),
            ("laboratory.sample(self.experiments[0], 0, seeds)[self.metric].T", "laboratory.sample(self.experiments[0], 0, seeds)[self.metric].T[::-1]"),
        ],
        "statistics/minimizer.py": [
            ("np.argmin(means, axis=1)", "np.argmax(means, axis=1)"),
            ("if share >= 0.99:", "if share >= 0.5:"),
            ("elif share <= 0.01:", "elif share <= 0.6:"),
            ("(best >= window[0]) & (best <= window[1])", "(best >= window[0])"),
            ("(best >= window[0]) & (best <= window[1])", "(best <= window[1])"),
        ],
        "statistics/exponents.py": [
            ("_RATE_SLACK = 0.05", "_RATE_SLACK = 0.2"),
            ("abs(bend) * length > 2.0 * _RATE_SLACK", "abs(bend) * length > 1e9"),
            ("elif limits[3] < threshold:", "elif limits[3] < threshold - 0.2:"),
            ("elif limits[1] > threshold:", "elif limits[1] > threshold + 0.2:"),
            ("studentized_limits(log_slope(-x), table", "studentized_limits(log_slope(x), table"),
        ],
        "statistics/log_log.py": [
            ('"at_most": 0.1,', '"at_most": 0.2,'),
            ('"exactly": 0.15}', '"exactly": 0.3}'),
            ('"exactly": 0.15}', '"exactly": 0.05}'),
            ("if floor <= lower and upper <= ceiling:", "if upper <= ceiling:"),
            ("elif outer_lower > ceiling or outer_upper < floor:", "elif outer_lower > ceiling:"),
        ],
        "checks/exact_exponent.py": [
            ("slack: float = 0.03", "slack: float = 0.2"),
            ("return bool(self._slopes.min() < said - self.slack)", "return bool(self._slopes.max() < said - self.slack)"),
            ("bool(np.all(distance <= bound))", "True"),
            ("np.any(np.abs(self._slopes - said) > self.slack)", "np.any(self._slopes - said > self.slack)"),
        ],
        "checks/exact.py": [
            ("holds = worst <= self.tolerance", "holds = worst <= 10 * self.tolerance"),
            ("worst = float(deviation.max())", "worst = float(deviation[0].max())"),
            ("theta[:, None] ** np.asarray(self.exponents)", "theta[:, None] ** self.exponents[0]"),
            ("        _require_finite(theta, table)\n", ""),
        ],
    },
    (f"{_T}/test_resampling.py", f"{_T}/test_exponents.py"): {
        "statistics/resampling.py": [
            ("t = (values - theta) / np.where(known, spread, 1.0)", "t = (values - theta) / error"),
            ("_TAILS = (0.01, 0.05)", "_TAILS = (0.05, 0.05)"),
            ("np.where(known, t, -np.inf)", "np.where(known, t, 0.0)"),
            ("np.where(known, t, np.inf)", "np.where(known, t, 0.0)"),
            ("linear = table @ (gradient / means)", "linear = table @ gradient"),
            ("np.sum(weights * each**2, axis=1) - centre**2", "np.sum(weights * each**2, axis=1)"),
        ],
        "statistics/scaling.py": [
            ("gradient += at_before * (step * (1.0 - part))[..., None]", "gradient += at_before * (step * part)[..., None]"),
            ("reached = curve <= eps", "reached = curve < 0.5 * eps"),
            ("(passages > grid[:, 0])", "(passages >= grid[:, 0])"),
            ("return old - new,", "return new - old,"),
            ("if limits[1] > 0.0:", "if limits[3] > 0.0:"),
        ],
    },
    (f"{_T}/test_betting.py",): {
        "statistics/betting.py": [
            ("np.logaddexp.reduce(weighted, axis=0)", "weighted.max(axis=0)"),
            ("np.cumsum(np.log1p(f * gains), axis=0)", "np.cumsum(f * gains, axis=0)"),
            ("0.9, 0.99)", "0.9, 1.5)"),
            (">= -math.log(error)", ">= -math.log(2 * error)"),
            ("log_wealth(np.maximum(gains, -1.0)).max(axis=0)", "log_wealth(np.maximum(gains, -1.0))[-1]"),
            ("(middle - unit) / np.maximum(1.0 - middle, 1e-300)", "(middle - unit) / np.maximum(middle, 1e-300)"),
            ("(table >= 0.0) & (table <= top * (1.0 + 1e-9))):", "(table >= 0.0)):"),
            ("_BISECTIONS = 60", "_BISECTIONS = 6"),
            ("np.asarray(top * high)", "np.asarray(high)"),
            ("if not np.all((top > 0.0) & np.isfinite(top)):", "if not np.all(top > 0.0):"),
        ],
    },
    (f"{_T}/test_identity.py",): {
        "statistics/identity.py": [
            ("more = -math.log(protocol.alpha)", "more = 1.0"),
            ("suspect & ~agree & (np.abs(_with_unseen(table, protocol)) >= protocol.max_z)", "suspect & ~agree"),
            ("suspect & ~agree & (np.abs", "suspect & (np.abs"),
            ("suspect = np.abs(z) >= protocol.max_z", "suspect = z >= protocol.max_z"),
            ("suspect = np.abs(z) >= protocol.max_z", "suspect = np.abs(z) >= 6.0"),
            ("stats.t.sf(t, df=seeds - 1)", "stats.norm.sf(t)"),
            ("ddof=1) / math.sqrt(seeds)", "ddof=1)"),
            ("np.logaddexp.reduce(each, axis=1)", "each.max(axis=1)"),
            (") - math.log(each.shape[1])", ")"),
            ("np.hstack([above, below])", "np.hstack([above, above])"),
            ("above = table / np.maximum(-low, slack)", "above = table / np.maximum(high, slack)"),
            ("if not np.all((table >= low - slack) & (table <= high + slack)):", "if not np.all(table <= high + slack):"),
            ("np.minimum(towards.min(axis=0), 0.0)", "np.minimum(towards.max(axis=0), 0.0)"),
            ("if not np.all(np.isfinite(table)):", "if False:"),
            ("log_e >= -math.log(protocol.alpha)", "log_e >= 0.0"),
        ],
    },
    (f"{_T}/test_verdict.py",): {
        "statistics/verdict.py": [
            ("threshold = -math.log(alpha)", "threshold = -math.log(2 * alpha)"),
            ("crossed = np.flatnonzero(log_e >= threshold)", "crossed = np.flatnonzero(log_e[-1:] >= threshold)"),
            ("below = upper <= 1.0 + ROUND_OFF", "below = upper <= 1.1"),
            ("above = np.flatnonzero(~(proved | below))", "above = np.flatnonzero(~(proved | below).any(keepdims=True))"),
            ("if upper[k] + share[k] > 1.0:", "if upper[k] > 1.0:"),
            ("_HILL_MIN_SEEDS = 200", "_HILL_MIN_SEEDS = 199"),
            ("_HILL_ALARM_BELOW = 2.5", "_HILL_ALARM_BELOW = 0.5"),
            ("np.all(upper < 1 / vacuous) or detectable > vacuous", "np.all(upper < 1 / vacuous)"),
            ("if not proved[alarm[0]]", "if True"),
            ("finite <= 1.0 + ROUND_OFF", "finite <= 2.0"),
            ("        if verdict.verdict != \"INCONCLUSIVE\" or look == protocol.looks:", "        if look == protocol.looks:"),
            ("more = _drawn(draw, len(ratios), len(ratios))", "more = _drawn(draw, 0, len(ratios))"),
            ("ratios = np.concatenate([ratios, more])", "ratios = more"),
            ("refuted = worst < 1.0 - tolerance", "refuted = worst < 1.0"),
            ("bool(np.all(lower > vacuous))", "bool(np.any(lower > vacuous))"),
            ("            support_error=protocol.support_error,\n", ""),
            ("tightest = int(np.argmax(mean))", "tightest = int(np.argmin(mean))"),
            ("elif seeds < MIN_SEEDS and not proved.all():", "elif seeds < MIN_SEEDS:"),
        ],
        "statistics/evidence.py": [
            ("0.35, 0.5, 0.7, 0.9)", "0.35, 0.5, 0.7)"),
            ("np.log1p(bet * (ratios - 1.0))", "np.log1p(bet * (ratios - 0.9))"),
            ("np.log(np.mean(np.exp(wealth - top), axis=-1))", "np.log(np.sum(np.exp(wealth - top), axis=-1))"),
            ("lower = np.where(agree, 0.0,", "lower = np.where(agree, ratios.min(axis=0),"),
            ("upper = np.where(agree, np.inf,", "upper = np.where(agree, ratios.max(axis=0),"),
            ("np.where(spread, t, -np.inf)", "np.where(spread, t, 0.0)"),
            ("variance = square - shift**2", "variance = square"),
            ("top = samples.size // 10", "top = samples.size // 5"),
            ("fixed = np.arange(checkpoints) < certain", "fixed = np.arange(checkpoints) <= certain"),
            ("    if not agree[fixed].all():", "    if False:"),
            ("MIN_SEEDS = 5", "MIN_SEEDS = 2"),
        ],
        "statistics/protocol.py": [
            ("min(self.looks * (1.0 - self.confidence), 0.5)", "1.0 - self.confidence"),
            ("1.0 - self.support_error ** (1.0 / seeds)", "1.0 - self.support_error ** (2.0 / seeds)"),
            ("if getattr(self, name) < 1:", "if getattr(self, name) < 0:"),
        ],
    },
    (f"{_T}/test_workers.py", f"{_T}/test_registration.py"): {
        "simulation/workers.py": [
            ("if now - begun > time_limit]", "if now - begun > 2e9]"),
            ("while waiting and len(running) < workers:", "while waiting:"),
            ("if running.pop(number, None) is not None:", "if False:"),
        ],
        "simulation/runner.py": [
            ("if time.monotonic() - self.last >= 20 * self.took:", "if True:"),
            ("        if self.pending:\n            self.now()", "        pass"),
        ],
        "simulation/evaluation.py": [
            ('running = f", control \'{control.name}\'"', 'running = ""'),
        ],
        "records/lock.py": [("fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB")],
        "records/fingerprint.py": [
            ('        "versions": _versions(),\n', ""),
            ('parts["from outside"] = [_code_of(name)', 'parts["from outside"] = [name'),
            ('waiting += [path.parent / f"{name.partition(\'.\')[0]}.py" for name in names]', "pass"),
        ],
        "theory_checks/statuses.py": [
            ("OK, UNEXPECTED, USAGE, INCONCLUSIVE, FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130", "OK, UNEXPECTED, USAGE, INCONCLUSIVE, FAILED, INTERRUPTED = 0, 1, 2, 3, 1, 130"),
            ("    if failures:\n        return FAILED\n", ""),
        ],
        "theory_checks/running.py": [
            ("if known is None or one.get(\"fingerprint\") == fingerprint(known, protocol):", "if True:"),
            ("return status if status == UNEXPECTED else FAILED", "return FAILED"),
        ],
        "theory_checks/cli.py": [
            ("    except KeyboardInterrupt:\n", "    except ZeroDivisionError:\n"),
        ],
        "records/write.py": [
            ("        partial.unlink(missing_ok=True)\n", ""),
            ("        json.dumps(found, allow_nan=False)\n", ""),
        ],
        "theory_checks/registration.py": [("if name not in known or name == one.id:", "if name == one.id:")],
        "theory_checks/claim.py": [("plain = identifier.isprintable() and not", "plain = not")],
    },
    (f"{_T}/test_runner.py::test_exit_statuses", f"{_T}/test_runner.py::test_a_record_has_every_key_of_the_schema", f"{_T}/test_runner.py::test_nan_and_infinity_become_null"): {
        "records/write.py": [
            ('        if claim["verdict"] == "REFUTED":', '        if claim["verdict"] == "CONSISTENT":'),
            ('            if not control["killed"]\n', "            if False\n"),
            ('killed = refuted if control.expected == "REFUTED" else not refuted', "killed = refuted"),
            ('killed = refuted if control.expected == "REFUTED" else not refuted', "killed = True"),
            ("None if value is None or not math.isfinite(value)", "None if value is None or math.isnan(value)"),
        ],
    },
    ("tests/optzoo/theorems/test_frank_wolfe.py", "tests/optzoo/theorems/test_second_derivations.py"): {
        "theorems/frank_wolfe_constants.py": [
            ("return (1 - self.p) * (before + self.nu * variance)", "return (1 - self.p) * before + self.nu * variance"),
            ("np.asarray(self.nu * step**2 * (kept - powers) / self.p)", "np.asarray(self.nu * step**2 * (1 - powers) / self.p)"),
            ("self.estimator_error(bound[-1], (self.L_pm * self.D * step) ** 2)", "self.estimator_error(bound[-1], (self.L_pm * step) ** 2)"),
            ("eta * self.D * np.asarray(error) + self.L / 2 * (self.D * eta) ** 2", "eta * self.D * np.asarray(error) + self.L * (self.D * eta) ** 2"),
            ("offset=4 / self.p, start=self.r_0, A=self.A", "offset=2 / self.p, start=self.r_0, A=self.A"),
            ("offset=8 / self.a, start=self.r_0, A=self.A", "offset=4 / self.a, start=self.r_0, A=self.A"),
            ("(1 - self.mixing) ** 2 * error + self.nu", "(1 - self.mixing) * error + self.nu"),
            ("error = self.nu * noise / (1 - (1 - self.mixing) ** 2 * rho**2)", "error = self.nu * noise / (1 - (1 - self.mixing) * rho**2)"),
            ("0.5 * (1 / (np.asarray(k, dtype=np.float64) + 1) - 1 / self.d)", "0.5 * (1 / (np.asarray(k, dtype=np.float64) + 1))"),
            ("np.asarray((self.r_0 + np.cumsum(added)) / np.cumsum(eta))", "np.asarray(np.cumsum(added) / np.cumsum(eta))"),
        ],
    },
    ("tests/optzoo/theorems/test_three_pillars.py", "tests/optzoo/theorems/test_second_derivations.py"): {
        "theorems/three_pillars_constants.py": [
            ("kept - 2 * self.gamma * np.asarray(progress) + self.gamma**2", "kept - self.gamma * np.asarray(progress) + self.gamma**2"),
            ("min(1 - self.p, self.p - (self.gamma * self.d_B) ** 2)", "min(1 - self.p, self.p - self.gamma * self.d_B)"),
            ("return progress * self.slack / (progress + self.slack)", "return progress + self.slack"),
            ("return math.sqrt(p / 2) / d_B", "return math.sqrt(p) / d_B"),
            ("self.share * steps + self.p * (steps - 1)", "self.share * steps + self.p * steps"),
            ("self.A * (server + self.delta_av**2) + (1 - self.B) * server", "self.A * (server + self.delta_av**2) + server"),
            ("return 1 / (4 * self.L_A)", "return 1 / (2 * self.L_A)"),
            ("return 4.5 / self.gamma**2", "return 3.5 / self.gamma**2"),
            ("return self._error(self.rho_in)", "return self.sensitivity * self.rho_in**self.H"),
            ("3 * self.eta * self.sigma**2 / self.mu_A", "2 * self.eta * self.sigma**2 / self.mu_A"),
            ("self.factor * 2 * initial / np.asarray", "self.factor * initial / np.asarray"),
        ],
    },
    ("tests/optzoo/theorems/test_markovian_noise.py", "tests/optzoo/test_markovian_parameters.py"): {
        "theorems/multilevel_constants.py": [
            ("return 10 / 3 * self.tau / B * level_factor(m)", "return 3 * self.tau / B * level_factor(m)"),
            ("25 / 9 * (self.tau / B) ** 2 / 4.0**m", "25 / 9 * (self.tau / B) ** 2 / 2.0**m"),
            ("return m - 1 + 2.0 ** (1 - m)", "return m + 2.0 ** (1 - m)"),
            ("return (m + 2.0**-m) * B", "return (m + 1) * B"),
            ("return level_factor(m) * self.s**2 / B", "return level_factor(m) * self.s / B"),
        ],
        "theorems/markovian_noise_constants.py": [
            ("left * self.start + (1 - left) * self.floor", "left * self.start + self.floor"),
            ("return 1 - self.delta**2 * self.A", "return 1 - self.delta * self.A"),
            ("return self.sigma**2 * self.A / (2 * self.c * self.mu)", "return self.sigma**2 * self.A / (self.c * self.mu)"),
            ("return self.gamma * self.mu - (self.delta * self.L) ** 2 * self.W", "return self.gamma * self.mu"),
            ("return self.s**2 / (9 * self.mu**2 * effective)", "return self.s**2 / (4 * self.mu**2 * effective)"),
        ],
    },
    ("tests/optzoo/theorems/test_ito_chains.py", "tests/optzoo/theorems/test_second_derivations.py"): {
        "theorems/ito_chains_constants.py": [
            ("return (1 + self.gamma) / 2", "return self.gamma / 2"),
            ("return math.expm1(self.M * self.T) * _local", "return math.exp(self.M * self.T) * _local"),
            ("return self.M * self.eta * _local", "return self.M * _local"),
            ("self.span**2 / 12 + self.skewness**2 / 18", "self.span**2 / 12 + self.skewness**2 / 9"),
            ("return self.s * self.h / math.sqrt(3)", "return self.s * self.h / 3"),
        ],
    },
    ("tests/optzoo/theorems/test_soap.py",): {
        "theorems/soap.py": [
            ("return math.sqrt(2 * self.r) * self.D * self.traces(gradients)", "return math.sqrt(self.r) * self.D * self.traces(gradients)"),
            ("(self.D**2 / (2 * self.eta) + self.eta * self.r) * self.traces(gradients)", "(self.D**2 / self.eta + self.eta * self.r) * self.traces(gradients)"),
            ("m = self.beta_1 * m + (1 - self.beta_1) * g.mean(axis=0)", "m = self.beta_1 * m + g.mean(axis=0)"),
            ("angle = math.atan(self.small / self.large * math.tan(angle))", "angle = 0.0"),
            ('"S_b": np.einsum("tij,ik,tkl->jl", g, by_left, g) / (number * rows)', '"S_b": np.einsum("tij,ik,tkl->jl", g, by_left, g) / (number * columns)'),
            ("np.asarray(right) / self.c", "np.asarray(right)"),
        ],
    },
    ("tests/optzoo/test_kl_shampoo.py", "tests/optzoo/test_kl_soap.py"): {
        "optzoo/_kronecker_factors.py": [
            ("jnp.maximum(of_axis, LEAST_SHARE * _largest(of_axis))", "jnp.maximum(of_axis, 1e-30)"),
            ("LEAST_SHARE = 1e-6", "LEAST_SHARE = 1e-1"),
            ("start = size ** (2 / len(kept))", "start = size"),
            ("jnp.where(begins, before, s * before + (1 - s) * diagonal)", "s * before + (1 - s) * diagonal"),
            ("jnp.where(begins, before, s * before + (1 - s) * diagonal)", "jnp.where(begins, before, diagonal)"),
            ("s * factor + (1 - s) / others_size * gram", "s * factor + (1 - s) * gram"),
            ("_without(bases, axis), batched=batched), others, batched=batched", "bases, batched=batched), others, batched=batched"),
            ("most = math.sqrt(float(tv.finfo(x.dtype).max) / (4 * max(x.size, 1)))", "most = math.inf"),
            ("return x if sharding_of(x) is None else jax.sharding.reshard(x, replicated(x))", "return x"),
        ],
        "optzoo/_kronecker_method.py": [
            ("mu = turned if rule.moments_in_bases else mu", "pass"),
            ("jnp.where(finite, a, b), new, kept", "a, new, kept"),
        ],
        "optzoo/_soap_arguments.py": [
            ("s = b2 if shampoo_beta is None else shampoo_beta", "s = b2"),
        ],
        "optzoo/kl_shampoo.py": [
            ("        roots(leaf.eigenvalues),", "        leaf.eigenvalues,"),
            ("return narrow(m, leaf.m), None, jnp.where(leaf.moves, u, 0)", "return narrow(m, leaf.m), None, u"),
        ],
    },
    ("tests/optzoo/test_reshaped.py",): {
        "optzoo/_blocks.py": [
            ("return (shorter + 1,) * longer + (shorter,) * (count - longer)", "return (longest or size,) * (count - 1) + (size - (count - 1) * (longest or size),)"),
            ("count = 1 if longest is None else max(1, -(-size // longest))", "count = 1 if longest is None else size // longest + 1"),
            ("count = 1 if longest is None else max(1, -(-size // longest))", "count = 1 if longest is None else -(-size // longest)"),
            ("(shorter + 1,) * longer + (shorter,) * (count - longer)", "(shorter,) * (count - longer) + (shorter + 1,) * longer"),
            ("            pieces = [part for piece in pieces for part in _split(piece, ends, axis)]", "            pieces = [part for piece in pieces for part in _split(piece, ends, axis)]\n            pieces = [jnp.pad(part, [(0, lengths[0] - part.shape[axis]) if k == axis else (0, 0) for k in range(part.ndim)]) for part in pieces]"),
            ("in reversed(list(enumerate(self.lengths)))", "in enumerate(self.lengths)"),
            ("remain >= 2 and short", "remain >= 1 and short"),
            ("size * length <= longest or 1 in (size, length)", "size * length <= longest"),
            ("size * length <= longest or 1 in (size, length)", "size * length < longest or 1 in (size, length)"),
            ("            size *= length\n", "            size = length\n"),
            ("self.number == 1 and len(self.groups) == len(self.shape)", "self.number == 1"),
            ("if len(group) > 1 or len(lengths) > 1:", "if len(group) > 1:"),
            ("if len(group) > 1 or len(lengths) > 1:", "if len(lengths) > 1:"),
            ("if len(group) > 1 or len(lengths) > 1:", "if True:"),
            ("return _placed(pieces[0].reshape(self.shape), _sharding(like))", "return pieces[0].reshape(self.shape)"),
        ],
        "optzoo/reshaped.py": [
            ("None if params is None else reshaping.blocks(params),", "None if params is None else params,"),
            ("None if params is None else reshaping.blocks(params),", "of_updates,"),
            ("{name: reshaping.inside(argument) for name, argument in extra_args.items()}", "extra_args"),
            ("return all(each.is_whole for each in self.cuts)", "return not self.cuts"),
            ("return self._of_blocks(part) if callable(part) else part", "return part"),
            ("            return self.inside(function(*args, **kwargs))", "            return function(*args, **kwargs)"),
            ("            args, kwargs = jax.tree.map(outside, (args, kwargs), is_leaf=is_blocks)\n", ""),
            ("return self.whole(part) if is_blocks(part) else part", "return part"),
            ("is_leaf=lambda part: is_tree(part) or callable(part))", "is_leaf=is_tree)"),
            ("is_real(leaf) and jnp.shape(leaf) == jnp.shape(other)", "is_real(leaf)"),
            ('        require_matching_tree("the updates of inner", moved, of_updates)\n', ""),
            ('        require_own_state(state, ReshapedState(getattr(state, "inner", None)))\n', ""),
            ("    if isinstance(leaf, jax.ShapeDtypeStruct):\n        return tuple(jax.eval_shape(each.blocks, leaf))\n", ""),
        ],
    },
    ("tests/optzoo/test_householder.py",): {
        "optzoo/_householder.py": [
            ("tau[:, None] * products, jnp.diag(tau)", "products, jnp.diag(tau)"),
            ("through, s.T), v)", "through, s), v)"),
            ("x, v.T), s), v))[:, BLOCK:]", "x, v.T), s.T), v))[:, BLOCK:]"),
            ("in reversed(reflections)", "in reflections"),
        ],
    },
    ("tests/optzoo/test_soap_options.py",): {
        "optzoo/_soap_refresh.py": [
            ("least = costs.index(min(costs))", "least = leaf % slots"),
            ("due = t % slots == slot", "due = t % slots == slots - 1 - slot"),
            ("jnp.where(t < slots, FIRST, REFRESH)", "REFRESH"),
            ("jnp.max(share, initial=0) > limit for share", "jnp.max(share, initial=0) < limit for share"),
            ("limit = TOLERANCE if tolerance is None else tolerance", "limit = TOLERANCE"),
        ],
        "optzoo/_soap_moment.py": [
            ("average(columns, places.mean(place, viewed, first)),", "average(columns, places.mean(place, viewed, first) * 2),"),
            ("trace = jnp.sum(whole_axis, axis=-1, keepdims=True)", "trace = jnp.max(whole_axis, axis=-1, keepdims=True)"),
            ("    new = sum_of_all\n", "    new = jnp.ones_like(sum_of_all)\n"),
            ("share = rows / jnp.where(mean > 0, mean, 1)", "share = rows"),
            ("return len(view.sizes) == 2", "return len(view.sizes) >= 2"),
        ],
        "optzoo/_soap_basis.py": [
            ("(others == mine) & (place", "(others != others) & (place"),
            ("jnp.where(jnp.isnan(numbers), -jnp.inf, numbers)", "numbers"),
            ("for place in known_at_run_time]", "for place in places]"),
            ("for shifted in (shift, 0.0, 0.0):", "for shifted in (0.0,):"),
            ("for shifted in (shift, 0.0, 0.0):", "for shifted in (shift,):"),
            ("relative = 16 * float(tv.finfo(basis.dtype).eps)", "relative = 1e-3 * float(tv.finfo(basis.dtype).eps) / len(basis)"),
            ("jnp.where(largest > 0, jnp.maximum(1 - diagonal / whole, 0), 0)", "jnp.maximum(1 - diagonal / whole, 0)"),
            ("whole = jnp.sum(jnp.square(gram_matrix / scale))", "whole = jnp.sum(jnp.square(gram_matrix))"),
        ],
    },
    ("tests/optzoo/test_soap_sharded.py",): {
        "optzoo/_soap_places.py": [
            ("start = jax.lax.axis_index(place.mesh_axes) * size", "start = (jax.lax.axis_index(place.mesh_axes) ^ 1) * size"),
            ("spread = tuple(has and d % devices == 0 for", "spread = tuple(False and d % devices == 0 for"),
            ("return _placing(x.ndim)(x, like) if x.ndim else x", "return x"),
            ("return any(self.bases) and not self.by_matrix", "return True"),
            ("jax.lax.psum_scatter(x, place.mesh_axes, scatter_dimension=axis, tiled=True)", "mine(place, x, axis)"),
            ("rows = mine(place, x, axis + batched) if place.spread[axis] else x", "rows = x"),
        ],
        "optzoo/_soap_exchange.py": [
            ("owners[place] = least = load.index(min(load))", "owners[place] = least = 0"),
            ("load[least] += sizes[place] ** 3", "load[least] += sizes[place]"),
            ("                offsets[device] += self._length(k)\n", ""),
            ("jax.lax.psum(kept, self.mesh_axes)", "kept"),
            ("total = jax.lax.psum(failures, places[0].mesh_axes)", "total = failures"),
            ("new[matrix.leaf][matrix.axis] = stack.at[matrix.entry].set(basis)", "new[matrix.leaf][matrix.axis] = stack.at[0].set(basis)"),
        ],
        "optzoo/soap.py": [
            ("return whole + jax.lax.psum(parts, places[0].mesh_axes)", "return whole + parts"),
            ("count, skipped, failed = (zero_from(params) for _ in range(3))", "count = skipped = failed = zero_from(params)"),
            ("placed_like(directions, updates if params is None else params)", "directions"),
        ],
        "optzoo/_soap_state.py": [
            ("constrained(whole(), where) if _is_traced(params)", "whole() if _is_traced(params)"),
        ],
    },
    ("tests/optzoo/test_soap_sharded_layouts.py",): {
        "optzoo/_soap_places.py": [
            ("return jax.lax.pmean(local, place.mesh_axes) if place.split == axis else local", "return local"),
            ("return jax.lax.psum(local, place.mesh_axes) if own else local", "return local"),
            ("x = jax.lax.all_to_all(x, place.mesh_axes, axis, at, tiled=True)", "x = mine(place, _gathered(place, x, at), at)"),
        ],
        "optzoo/_soap_exchange.py": [
            ("return list(jax.lax.pmax(largest, places[0].mesh_axes))", "return largest"),
            ("return list(jax.lax.psum(self._on_this_device(on), self.mesh_axes))", "return list(self._on_this_device(on))"),
        ],
    },
    ("tests/optzoo/test_compressors.py",): {
        "compressors/sparsification.py": [
            ("return (dimension / self.num_coordinates - 1) / self.num_workers, 0.0", "return dimension / self.num_coordinates / self.num_workers, 0.0"),
            ("        return self.num_coordinates / dimension", "        return 1 - self.num_coordinates / dimension"),
            ("scaled = message * (like.size / self.num_coordinates)", "scaled = message"),
            ("scaled = messages * (like.size / (self.num_coordinates * self.num_workers))", "scaled = messages * (like.size / self.num_coordinates)"),
        ],
        "compressors/compressor.py": [
            ("        if omega >= 1:", "        if omega > 1:"),
            ("        return 1 - omega\n", "        return 1 / (1 + omega)\n"),
        ],
        "compressors/quantization.py": [
            ("return 0.125 / self.num_workers, 0.0", "return 0.125, 0.0"),
            ("return min(ratio**2, ratio) / self.num_workers, 0.0", "return ratio / self.num_workers, 0.0"),
            ("uniform < y - lower", "uniform < 0.5"),
        ],
    },
    ("tests/optzoo/theorems/test_distributed_methods.py",): {
        "theorems/distributed_methods_constants.py": [
            ("return progress / (1 + progress / slack)", "return progress / (1 + progress / (1 - self.gamma * self.L))"),
            ("return progress / (1 + progress / slack)", "return progress"),
            ("return float((1 - one.decrease()) ** (self.H / 2))", "return float((1 - one.decrease()) ** self.H)"),
            ("late = self.H * (self.H - 1) / 2 * (1", "late = self.H * (self.H - 1) * (1"),
            ("return self.gamma**2 * self.L * self.D * (self.H + late)", "return self.gamma**2 * self.L * self.D * late"),
            ("return 2 * self.eta * self.mu", "return self.eta * self.mu"),
            ("return 1 - (self.gamma * self.delta_1) ** 2", "return 1 - self.gamma * self.delta_1"),
            ("self.A * self.L_av**2 + (1 - self.B) * self.L**2", "self.A * self.L_av**2 + self.L**2"),
            ("1 / ((2 - self.p) / (2 * self.gamma * self.mu) + 1 / self.slack)", "1 / (1 / (2 * self.gamma * self.mu) + 1 / self.slack)"),
            ("if self.slack <= 0:\n            return -math.inf\n        return 1 / ", "if self.slack < 0:\n            return -math.inf\n        return 1 / "),
            ("return min(self.gamma * self.mu, self.p) / 2", "return min(self.gamma * self.mu, self.p)"),
            ("return 1 - self.theta", "return 1.0"),
            ("return min(p, 5 / 8 - p)", "return p"),
            ("8 * self.gamma * self.ell <= 1 + 1e-12", "4 * self.gamma * self.ell <= 1 + 1e-12"),
            ("16 * (self.gamma * self.d_M) ** 2 <= self.alpha", "16 * (self.gamma * self.d_M) ** 2 <= 1.0"),
            ("weight = self.p / (self.p - self.theta)", "weight = 1.0"),
            ("math.sqrt((1 - p / 2) * _spared(p))", "math.sqrt(_spared(p))"),
            ("gamma = min(of_errors, p / (16 * mu), 1 / (beta * mu), ", "gamma = min(of_errors, p / (16 * mu), "),
            ("errors *= 8 * self.gamma**2 + 19", "errors *= 8 * self.gamma**2 + 9"),
            ("left = (1 - self.gamma * self.mu / 10)", "left = (1 - self.gamma * self.mu)"),
            ("np.asarray((2 - self.p) * initial * left)\n\n\n# --- OM", "np.asarray(2 * initial * left)\n\n\n# --- OM"),
        ],
        "theorems/distributed_methods.py": [
            ("lambda constants, *more: constants.mu > 0", "lambda constants, *more: True"),
        ],
    },
    (f"{_LOOP}[extragradient]", f"{_LOOP}[extragradient-ball]"): {
        "optzoo/distributed_extragradient.py": [
            ("lambda zi, fi: zi - like(gamma, zi) * fi, z, value)", "lambda zi, fi: zi + like(gamma, zi) * fi, z, value)"),
            ("half = moved(workers.mean(at_z))", "half = z"),
            ("z_next = moved(workers.mean(workers.own(half)))", "z_next = moved(workers.own(half))"),
            ("            return workers.onto_set(step)", "            return step"),
            ("sent=state.sent.plus(rounds=2, vectors=2)", "sent=state.sent.plus(rounds=1, vectors=2)"),
            ("sent=state.sent.plus(rounds=2, vectors=2)", "sent=state.sent.plus(rounds=2, vectors=1)"),
        ],
    },
    (f"{_LOOP}[local]", f"{_LOOP}[local-ball]"): {
        "optzoo/local_extragradient.py": [
            ("return moved(u, workers.own(moved(u, value)))", "return moved(moved(u, value), workers.own(moved(u, value)))"),
            ("return moved(u, workers.own(moved(u, value)))", "return moved(u, value)"),
            ("jax.lax.fori_loop(1, local_steps", "jax.lax.fori_loop(0, local_steps"),
            ("            return workers.onto_set(step)", "            return step"),
            ("step_to(workers.mean(last), params)", "step_to(workers.mean(first), params)"),
            ("sent=state.sent.plus(rounds=1, vectors=1)", "sent=state.sent.plus(rounds=1, vectors=2)"),
        ],
    },
    (f"{_LOOP}[similarity]", f"{_LOOP}[sliding-ball]"): {
        "optzoo/extragradient_sliding.py": [
            ("shift=jax.tree.map(jnp.subtract, mean_at_z, at_z)", "shift=mean_at_z"),
            ("return u, jax.tree.map(jnp.subtract, value, at_z)", "return u, value"),
            ("share = correction * (like(alpha, zi) + 1 / like(theta, zi))", "share = correction / like(theta, zi)"),
            ("share = correction * (like(alpha, zi) + 1 / like(theta, zi))", "share = like(alpha, zi) + 1 / like(theta, zi)"),
            ("- correction * ((at_u - at_z) - change)", "+ correction * ((at_u - at_z) - change)"),
            ("- correction * ((at_u - at_z) - change)", "- correction * (at_u - at_z)"),
            ("step_to(workers.onto_set(moved), params)", "step_to(moved, params)"),
            ("broadcasts=0 if workers.everywhere else 2", "broadcasts=0 if workers.everywhere else 1"),
        ],
    },
    (f"{_OUTCOME}[masha1-ball]", f"{_OUTCOME}[masha1-rand_k]"): {
        "optzoo/masha1.py": [
            ("zi + like(momentum, zi) * (mi - zi) - like(gamma, zi) * fi", "zi - like(gamma, zi) * fi"),
            ("u = workers.onto_set(ahead)", "u = ahead"),
            ("difference = jax.tree.map(jnp.subtract, workers.own(u), operator_at_m)", "difference = jax.tree.map(jnp.subtract, workers.own(u), at_z)"),
            ("lambda ai, qi: ai - like(gamma, ai) * qi, ahead, mean)", "lambda ai, qi: ai - like(gamma, ai) * qi, u, mean)"),
            ("step_to(workers.onto_set(moved), params)", "step_to(moved, params)"),
            ("state.sent.plus(rounds=1 + refreshed, messages=1, vectors=refreshed)", "state.sent.plus(rounds=1, messages=1, vectors=refreshed)"),
            ("m, operator_at_m, mean_at_m = reference.point, reference.own(axis_name), reference.mean", "m, operator_at_m, mean_at_m = reference.point, reference.own(axis_name), state.reference.mean"),
        ],
    },
    (f"{_OUTCOME}[masha2]",): {
        "optzoo/masha2.py": [
            ("like(gamma, ei) * (at_u - at_m) + ei", "like(gamma, ei) * (at_u - at_m)"),
            ("like(gamma, ei) * (at_u - at_m) + ei", "(at_u - at_m) + ei"),
            ("error = tv.split_like(vector - own, u)", "error = tv.split_like(vector - mean, u)"),
            ("error=as_rows(error, params)", "error=state.error"),
            ("z_next = jax.tree.map(jnp.subtract, u, tv.split_like(mean, u))", "z_next = jax.tree.map(jnp.subtract, z, tv.split_like(mean, u))"),
            ("own = compressor.decode(message_key, worker, message, vector)", "own = compressor.decode(message_key, 0 * worker, message, vector) * 0.5"),
            ("            reference.mean,\n        )\n        change", "            state.reference.mean,\n        )\n        change"),
        ],
    },
    (f"{_OUTCOME}[optimistic]", f"{_OUTCOME}[optimistic-ball]"): {
        "optzoo/optimistic_masha.py": [
            ("(zi - wi) + like(optimism, zi) * (zi - pi)", "(zi - wi) + (zi - pi)"),
            ("(zi - wi) + like(optimism, zi) * (zi - pi)", "(zi - wi) - like(optimism, zi) * (zi - pi)"),
            ("before = state.reference.unless(first, reference)", "before = reference"),
            ("before = state.reference.unless(first, reference)", "before = state.reference"),
            ("            reference.point,\n            before.mean,", "            before.point,\n            before.mean,"),
            ("            before.mean,\n            mean,", "            reference.mean,\n            mean,"),
            ("previous_operator=as_rows(at_z, params)", "previous_operator=state.previous_operator"),
            ("lambda old, new: jnp.where(first, new, old)", "lambda old, new: old"),
            ("step_to(projected(project, moved, params), params)", "step_to(moved, params)"),
        ],
    },
    (f"{_OUTCOME}[svogs]", f"{_OUTCOME}[svogs-ball]"): {
        "optzoo/svogs.py": [
            ("at_z = jax.tree.map(jnp.subtract, operator_at_z, server_at_z)", "at_z = operator_at_z"),
            ("(zi - wi) + like(optimism, zi) * (zi - pi)", "(zi - wi) + (zi - pi)"),
            ("before = state.reference.unless(first, reference)", "before = reference"),
            ("shift=jax.tree.map(jnp.add, before.mean, mean)", "shift=jax.tree.map(jnp.add, reference.mean, mean)"),
            ("lambda zi, wi: zi + like(momentum, zi) * (wi - zi), z, reference.point", "lambda zi, wi: zi + like(momentum, zi) * (wi - zi), z, before.point"),
            ("previous_difference=as_rows(at_z, params)", "previous_difference=as_rows(operator_at_z, params)"),
            ("project=workers.onto_set,", "project=lambda u: u,"),
            ("broadcasts=0 if workers.everywhere else 2", "broadcasts=0 if workers.everywhere else 1"),
        ],
    },
    (f"{_OUTCOME}[masha1-ball]", f"{_OUTCOME}[optimistic]"): {
        "optzoo/_reference_point.py": [
            ("now = first | toss(key, probability)", "now = toss(key, probability)"),
            ("return z, at_z, mean_of_vectors(at_z, axis_name)", "return z, at_z, self.mean"),
            ("return z, at_z, mean_of_vectors(at_z, axis_name)", "return z, self.own(axis_name), mean_of_vectors(at_z, axis_name)"),
            ("return Reference(point, as_rows(operator, point), mean), now.astype(jnp.int32)", "return Reference(point, as_rows(operator, point), mean), jnp.ones([], jnp.int32)"),
            ("jnp.where(first, new, own), self, other)", "jnp.where(first, own, new), self, other)"),
        ],
    },
    (f"{_LOOP}[sliding-ball]", f"{_LOOP}[similarity-on_all]"): {
        "optzoo/_worker_operators.py": [
            ("is_server = jax.lax.axis_index(self._axis_name) == 0", "is_server = jax.lax.axis_index(self._axis_name) == 1"),
            ("return jax.lax.pmean(values, axis_name)", "return jax.lax.psum(values, axis_name)"),
            ("at_known = [self._server(point) for point, _ in known]", "at_known = [value for _, value in known]"),
            ("    return wide(nearest, params)", "    return wide(point, params)"),
        ],
    },
    (f"{_LOOP}[extragradient]", f"{_OUTCOME}[masha2]"): {
        "optzoo/_traffic.py": [
            ("messages=None if self.messages is None else _sum(self.messages, messages)", "messages=self.messages"),
            ("return Traffic(zero[0], zero[1] if messages else None, zero[2], zero[3])", "return Traffic(zero[0], zero[1], zero[2], zero[3])"),
        ],
    },
    (f"{_D}/test_distributed_arguments.py",): {
        "optzoo/_worker_arguments.py": [
            ("    if project is not None:\n", "    if False:\n"),
            ("    if not isinstance(axis_name, str):", "    if axis_name is None:"),
            ('require_closed_interval("momentum", momentum, 0.0, 1.0)', 'require_closed_interval("momentum", momentum, -1.0, 1.0)'),
        ],
        "optzoo/_worker_operators.py": [
            ('require_matching_tree(f"the result of {name}", value, self._params)', "pass"),
            ('    require_matching_tree("the result of project", nearest, params)\n', ""),
            ("        if differs_between_workers(value, self._axis_name):", "        if False:"),
            ("        num_workers(axis_name)\n", ""),
        ],
        "optzoo/masha2.py": [
            ("        compressor.contraction(tv.dimension(params))\n", ""),
        ],
        "optzoo/optimistic_masha.py": [
            ("        compressor.require_axis(axis_name)\n", ""),
        ],
        "optzoo/svogs.py": [
            ("    if not isinstance(clients, SampledClients):", "    if clients is None:"),
            ('    require_positive("local_step", local_step)\n', ""),
        ],
        "optzoo/extragradient_sliding.py": [
            ('    require_not_negative("alpha", alpha)\n', ""),
            ("    if eta is not None:\n", "    if False:\n"),
        ],
        "optzoo/communication.py": [
            ("    elif compressor is not None:\n", "    elif False:\n"),
            ("        broadcasts=2 * found.broadcasts,", "        broadcasts=found.broadcasts,"),
            ("uplink_refresh=times(vector, traffic.vectors)", "uplink_refresh=times(vector, traffic.rounds)"),
            ("downlink=times(vector, traffic.broadcasts)", "downlink=times(vector, traffic.vectors)"),
            ("message = compressor.num_bytes(tv.dimension(params), tv.wide_dtype(shapes))", "message = compressor.num_bytes(tv.dimension(params), jnp.float32)"),
        ],
    },
    (f"{_D}/test_distributed_contexts.py",): {
        "optzoo/worker_specs.py": [
            ("if name in part.per_worker()", "if False"),
            ("else specs_of(value, axis_name)", "else PartitionSpec()"),
        ],
        "optzoo/masha2.py": [
            ("        z = iterate(params, state.remainder)", "        z = wide(params, params)"),
            ('        return ("error",)', "        return ()"),
        ],
        "optzoo/svogs.py": [
            ("            remainder=remainder,", "            remainder=state.remainder,"),
        ],
        "optzoo/local_extragradient.py": [
            ("z = mark_as_differing(iterate(params, state.remainder), axis_name)", "z = mark_as_differing(wide(params, params), axis_name)"),
        ],
    },
    ("tests/optzoo/test_markovian.py",): {
        "optzoo/randomized_accelerated_gd.py": [
            ("one_minus_theta = beta * (1 - beta) / (2 - beta**2)", "one_minus_theta = beta / (2 - beta**2)"),
            ("beta = 2 * momentum_scale * inverse_eta", "beta = momentum_scale * inverse_eta"),
            ("long_step = short_step * eta", "long_step = short_step"),
        ],
    },
    ("tests/optzoo/lmo/test_first_sets.py",): {
        "lmo/simplices.py": [
            ("return scale * (math.sqrt(2) if tv.dimension(like) > 1 else 0)", "return scale * 2"),
            ("excess = jnp.cumsum(descending) - scale", "excess = jnp.cumsum(descending)"),
        ],
        "lmo/norm_balls.py": [
            ("return radius * (2 * math.sqrt(tv.dimension(like)))", "return radius * 2"),
        ],
    },
    (f"{_D}/test_stochastic_conditional_gradient.py",): {
        "optzoo/stochastic_conditional_gradient.py": [
            ("            weighted(weight_decay, x),\n", "            x,\n"),
            ("weighted(1 - alpha, m), weighted(alpha, g)", "weighted(1 - alpha, m), g"),
            ("averaged(average, gradient) if nesterov else average", "average"),
            ("return jnp.where(k == 0, jnp.ones_like(alpha), alpha)", "return alpha"),
            ("return alpha / -jnp.expm1((k + 1).astype(alpha.dtype) * jnp.log1p(-alpha))", "return jnp.where(k == 0, 1.0, alpha)"),
            ("        x = iterate(params, state.remainder)\n", "        x = wide(params, params)\n"),
            ("        _require_start(constraint, params, weight_decay)\n", "        require_floating(params)\n"),
            ("constraint.contains(weighted(decay, params))", "constraint.contains(params)"),
            ("eta * decay > 1:", "eta * decay >= 1:"),
            ("eta * decay > 1:", "eta > 1:"),
        ],
    },
    (f"{_D}/lmo/test_spectral.py::{_NEWTON}", f"{_D}/lmo/test_spectral.py::{_BEST}", f"{_D}/lmo/test_spectral.py::{_TOLERANCE}"): {
        "lmo/_polar_factor.py": [
            ("    shrink = 1 - CUSHION * eps\n", "    shrink = 1.0\n"),
            ("    for _ in range(20):", "    for _ in range(1):"),
            ("        if k + 1 < len(steps):", "        if k + 2 < len(steps):"),
            ("    if low > 0.99:", "    if low > 0.7:"),
            ("max(eps, tolerance or 0.0)", "eps"),
            ("c * times(gram, gram)", "c * gram"),
        ],
        "lmo/spectral.py": [("polar = newton_schulz(direction, self.tolerance)", "polar = newton_schulz(direction)")],
    },
    (f"{_D}/lmo/test_layers.py",): {
        "lmo/layers.py": [
            ("-1 if self.out_axis else 1)", "1 if self.out_axis else -1)"),
            ("(len(shape) > 2 and inputs == 1)", "(len(shape) > 3 and inputs == 1)"),
            ("(len(shape) > 2 and inputs == 1)", "inputs == 1"),
            ("self.radius * factor", "self.radius"),
            ("part._contains(leaf, atol)", "part._contains(leaf, None)"),
            ("return linf_ball(self.vector_radius)", "return linf_ball(self.radius)"),
        ],
        "lmo/matricization.py": [
            ("<= abs(self.row_axes):", "< abs(self.row_axes):"),
            ("self.constraint._contains(self._matrices(x), atol)", "self.constraint._contains(self._matrices(x), None)"),
            ("_shaped_like(self.constraint._retract(self._matrices(x)), x)", "x"),
        ],
        "lmo/row_norms.py": [
            ("return radius * (2 * math.sqrt(rows))", "return radius * (2 * rows)"),
            ("return _on_rows(l2_ball(self.radius)._project, x)", "return l2_ball(self.radius)._project(x)"),
            ("return _on_rows(l2_ball(self.radius)._lmo, direction)", "return l2_ball(self.radius)._lmo(direction)"),
        ],
    },
    # Coverage: which constants and which parts of a formula a run would have caught.
    (f"{_T}/worst_case/test_misreadings.py",): {
        "worst_case/misreadings.py": [
            ("return min(max(shifted, least), most)", "return min(shifted, most)"),
            ("shifted = value / far if up == (value > 0) else value * far", "shifted = value / far if up else value * far"),
            ("return min(max(shifted, least), most)", "return max(shifted, least)"),
            ("up = theorem.constants.directions()[name] == \"up\"", "up = theorem.constants.directions()[name] == \"down\""),
            ("shift(value) if constant == name else value", "shift(value)"),
            ("{\"__post_init__\": lambda self: None, **members}", "members"),
            ("return formula is not None and inspect.getattr_static(constants, name, None) is formula", "return formula is not None and hasattr(constants, name)"),
            ("words if times[words] == 1 else f\"{words} ({times[words]})\"", "words"),
            ("if isinstance(helper, types.FunctionType) and _neighbours(helper, formula):", "if isinstance(helper, types.FunctionType):"),
            ("if isinstance(helper, types.FunctionType) and _neighbours(helper, formula):", "if False:"),
            ("        member = member.func\n", "        member = None\n"),
            ("    if isinstance(node, ast.Call) and _called(node) == \"eye\":\n        return False\n", ""),
            ("                    if names.get(where[1:]) is one:\n                        names[where[1:]] = rewired\n", "                    pass\n"),
            ("pages = {id(one.__globals__): dict(one.__globals__) for", "pages = {id(one.__globals__): one.__globals__ for"),
            ("made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__", "made.__defaults__ = function.__defaults__"),
            ("            argument.annotation = None  # may name what only a type checker imports\n", "            pass\n"),
            ("    if isinstance(node, ast.arguments | ast.Raise | ast.Assert | ast.Compare):", "    if isinstance(node, ast.arguments | ast.Raise | ast.Assert):"),
            ("    if isinstance(node, ast.arguments | ast.Raise | ast.Assert | ast.Compare):", "    if isinstance(node, ast.arguments | ast.Assert | ast.Compare):"),
            ("        yield from (node.body, node.orelse)\n", "        yield node.body\n"),
            ("        yield node.value\n    elif isinstance(node, ast.AnnAssign)", "        yield from ast.iter_child_nodes(node)\n    elif isinstance(node, ast.AnnAssign)"),
            ("place, mistake = list(_places(tree))[number]", "place, mistake = list(_places(tree))[0]"),
            ("yield from (kept for kept, lost in ((left, right), (right, left)) if _varies(lost))", "yield from (left, right)"),
            ("        elif isinstance(node.op, ast.Sub):\n            yield left\n", ""),
            ("        elif name in (\"log\", \"log2\", \"log1p\"):\n            yield ast.Constant(1.0)\n", ""),
            ("        if name == \"sqrt\" and _varies(node.args[0]):\n            yield node.args[0]\n", "        if name == \"sqrt\":\n            yield ast.Constant(1.0)\n"),
            ("others += [ast.Constant(power.value / 2)] if power.value != 2 else []", "others += []"),
        ],
        "theory_checks/restated.py": [
            ("    finally:\n        _PLACE.reset(token)\n", "    finally:\n        pass\n"),
            ("if place is None or place.theorem is not theorem:", "if place is None:"),
            ("    place.asked = True\n", ""),
        ],
    },
    (f"{_T}/worst_case/test_coverage.py",): {
        "worst_case/coverage.py": [
            ("sorted(found, key=lambda one: _slack(one[2]))\n        if finding.verdict != \"REFUTED\" and", "sorted(found, key=lambda one: _slack(one[2]))\n        if"),
            ("places = [place for place in places if place.asks]", "places = [place for place in places if True]"),
            ("\"down\" if theorem.constants.directions()[name] == \"up\" else \"up\"", "theorem.constants.directions()[name]"),
            ("first = limit if best is None else min(limit, best * (1 - RESOLUTION))", "first = limit if best is None else best * 1.5"),
            ("first = limit if best is None else min(limit, best * (1 - RESOLUTION))", "first = limit if best is None else 0.0"),
            ("            if found < math.inf:\n                best, sharpest = found, place.name\n", "            best, sharpest = found, place.name\n"),
            ("(low, middle) if refuted(middle) else (middle, high)\n    return high", "(low, middle) if refuted(middle) else (middle, high)\n    return low"),
            ("while high > low * (1 + RESOLUTION):", "while high > low * (1 + 50 * RESOLUTION):"),
            ("        if not refuted(high):\n            return math.inf\n", ""),
            ("        if said.ndim == 0:  # what depended on the point was dropped\n            said = np.full(self.said.shape, said)\n", ""),
            ("said.shape == self.said.shape and np.all(np.isfinite(said))", "said.shape == self.said.shape"),
            ("        except Exception:  # a formula with a mistake in it may fail in any way\n", "        except ArithmeticError:\n"),
            ("seen = seen or (said is not None and _differs(said, place.said))", "seen = True"),
            ("{\"above\": change < 0, \"below\": change > 0}.get(side, change != 0)", "{\"above\": change < 0}.get(side, change > 0)"),
            ("            side = \"below\"  # a smaller exponent claims less\n", "            pass\n"),
            ("if side == \"law\" and getattr(self.check, \"relation\", None) == \"at_least\":", "if side == \"law\":"),
            ("{\"above\": change < 0, \"below\": change > 0}.get(side, change != 0)", "{\"above\": change < 0}.get(side, change < 0)"),
            ("seen = \"weaker\" if seen == \"untestable\" else seen", "seen = \"weaker\""),
            ("killed or outcomes.get(name) == \"killed\"", "killed"),
            ("structure | _exponents(found, laboratory)", "structure"),
        ],
        "checks/exact.py": [("        return cache(self.compute)\n", "        return self.compute\n")],
    },
    (f"{_CHECKS}/test_restatable.py",): {
        "checks/bounds.py": [
            ("return bool(evidence >= -math.log(laboratory.protocol.alpha))", "return bool(evidence >= -math.log(1e-3))"),
            ("return bool(evidence >= -math.log(laboratory.protocol.alpha))", "return bool(evidence >= 0.0)"),
            ("ratios = _over(sample[:, -len(self._points) :], said)", "ratios = _over(sample[:, : len(self._points)], said)"),
            ("        sample = laboratory.sample(self.experiment, 0, seeds)[self.metric]\n        ratios", "        sample = laboratory.sample(self.experiment, 0, laboratory.seeds)[self.metric]\n        ratios"),
            ("            return True  # a value that the left side cannot have\n", "            return False\n"),
            ("        return low - right, high - right\n", "        return low - 0.5, high - 0.5\n"),
            ("np.maximum(said, np.finfo(np.float64).tiny)", "said"),
            ("        np.divide(paths, said, out=ratios, where=np.broadcast_to(said > 0, paths.shape))\n", "        ratios = _over(paths, said)\n"),
            ("paths, bound = (paths / said, np.ones(paths.shape[1])) if said.ndim == 2 else (paths, said)", "bound = said[0] if said.ndim == 2 else said"),
        ],
        "checks/restatable.py": [
            ("    if np.iscomplexobj(found):", "    if False:"),
            ("(0.0, stated / 2, 2 * stated) if stated else (0.5, -0.5)", "(0.0, stated / 2) if stated else (0.5, -0.5)"),
        ],
        "checks/exponents.py": [
            ("if relation == \"exactly\" or other < check.stated", "if relation == \"exactly\" or other > check.stated"),
            ("for name, other in others if other > self.stated}", "for name, other in others}"),
        ],
    },
    (f"{_T}/worst_case/attack/test_search.py", f"{_T}/worst_case/attack/test_space.py"): {
        "attack/objective.py": [
            ("means = means - sign * CAUTION *", "means = means + sign * CAUTION *"),
            ("    if ratio > 1 + TOLERANCE:\n        return ratio\n", ""),
            ("way = -short[crosses] / (now - short)[crosses]", "way = 1.0"),
            ("has = part > _PART * np.abs(place.said)", "has = part > -1.0"),
        ],
        "attack/evolution.py": [
            ("losses = [-value if math.isfinite(value)", "losses = [value if math.isfinite(value)"),
        ],
        "attack/search.py": [
            ("6 / (math.pi * test) ** 2", "1.0"),
            ("known.scores[name] < _ATTAINED", "known.scores[name] < 9.0"),
            ("        if not self.restarts:\n            self._begin()\n", ""),
            ("_forget(best, hardest, again)\n", "pass\n"),
        ],
        "attack/space.py": [
            ("low * (high / low) ** u", "low + (high - low) * u"),
            ("theorem.metric,\n", ""),
            ("start += one.count", "start += 1"),
        ],
    },
    (f"{_T}/cluster/test_worker.py",): {
        "cluster/worker.py": [
            ("if here != job.fingerprint:", "if False:"),
            ("if subject is None:", "if False:"),
            ("if _bench is None or _bench.run != run:", "if _bench is None:"),
        ],
        "cluster/client.py": [
            ("if isinstance(found, _WorkersDiedError) and number not in tried_alone:", "if False:"),
            ("                if not waiting:  # was", "                if suspects:  # was"),
            ("error.allowed_failures + 1", "error.allowed_failures"),
        ],
        "cluster/attack.py": [
            ("claim is None or fingerprint(claim, attacked.protocol) != attacked.fingerprint", "claim is None"),
            ("claim is None or fingerprint(", "fingerprint("),
        ],
        "simulation/runner.py": [("            if number in heard:", "            if False:")],
    },
    (f"{_T}/records/test_merge.py",): {
        "records/merge.py": [
            ("        if one != other:\n            raise MergeError(f\"{name} is", "        if False:\n            raise MergeError(f\"{name} is"),
            ("if _numbers(before[1]) != _numbers(one):", "if False:"),
            ("if one is not None and other is not None and one[1] != other[1]:", "if False:"),
            ("if one[\"id\"] not in evaluated", "if True"),
            ("key=lambda one: turn.get(one[\"id\"], -1)", "key=lambda one: 0"),
            ("*known.get((one[\"paper\"], one[\"label\"]), ()), ", ""),
            ("if number not in here", "if number > count"),
            ("for name in found[\"environment\"][\"asked\"] if name not in known", "for name in ()"),
        ],
        "theory_checks/running.py": [
            ("chosen = chosen[number - 1 :: count]", "chosen = chosen[number - 1 :]"),
            ("return FAILED if left_out and status != UNEXPECTED else status", "return status"),
        ],
    },
    (f"{_T}/worst_case/attack/test_command.py",): {
        "attack/outcome.py": [
            ("search.tests = record[\"tests\"]\n", "search.tests = 0\n"),
            ("chosen[search.refuted[0]] = [\"violation\"]", "pass"),
            ("return tuple(claim.families) or tuple(fitting)", "return tuple(fitting)"),
        ],
        "attack/command.py": [
            ("    if interrupted:\n        raise KeyboardInterrupt\n", ""),
            ("return search.refuted is not None", "return False"),
        ],
    },
    (f"{_T}/test_registration.py::test_a_partner_is_a_claim",): {
        "theory_checks/registration.py": [("if name not in known or name == one.id:", "if name not in holders or name == one.id:")],
    },
    (f"{_T}/test_runner.py::test_flags_that_the_user_gave_are_kept",): {
        "theory_checks/devices.py": [
            ("if flag not in given]", "if flag]"),
            ("startswith(\"0.10.\")", "startswith(\"0.\")"),
        ],
    },
    (f"{_T}/records/test_citation.py",): {
        "records/citation.py": [
            ("_DIGITS = 6", "_DIGITS = 12"),
            ("_DIGITS = 6", "_DIGITS = 3"),
            ("            key=lambda record: str(record[\"id\"]),\n", "            key=lambda record: 0,\n"),
            ("if name not in _ASIDE}", "}"),
            (", *(results.get(\"comparisons\") or ())]", "]"),
        ],
        "records/write.py": [("    results[\"hash\"] = run_hash(results)\n", "    results[\"hash\"] = run_hash(environment)\n")],
        "theory_checks/running.py": [("c[\"verdict\"] == \"CONSISTENT\" and bool(c[\"vacuous\"])", "c[\"verdict\"] == \"CONSISTENT\"")],
    },
    (f"{_T}/test_cli_figures.py",): {
        "report/export.py": [
            ("for number, panel in enumerate(record[\"panels\"], 1)", "for number, panel in enumerate(record[\"panels\"][:1], 1)"),
            ("known = [column for column in CURVES if record[column]]", "known = [\"mean\", \"mean\"]"),
        ],
        "theory_checks/export.py": [
            ("    if there and not options.overwrite:\n", "    if False:\n"),
            ("    except (FileNotFoundError, ValueError) as error:\n", "    except FileNotFoundError as error:\n"),
        ],
        "theory_checks/starter.py": [
            ("file.open(\"x\", encoding", "file.open(\"w\", encoding"),
            ("text.replace(\"PAPER/\", f\"{file.stem}/\")", "text.replace(\"PAPER/\", \"mine/\")"),
        ],
    },
    (f"{_T}/test_cli_help.py",): {
        "theory_checks/command_line.py": [("where results and report go (results/run)", "where results and report go"), ("after so long a claim is given up (3600)", "after so long a claim is given up (360)")],
    },
    ("tests/test_package.py::test_the_version_stands_in_one_place",): {
        "theory_checks/command_line.py": [("from optzoo import __version__", "__version__ = \"0.0\"")],
    },
    ("tests/plots/test_sheet.py",): {
        "plots/sheet.py": [
            ("            round(unit * (float(number)", "            int(unit * (float(number)"),
            ("for rule in filter(None, text.split(\"; \"))", "for rule in filter(None, text.split(\"; \")[:1])"),
            ("    shift = float(use.get(\"x\", 0)), float(use.get(\"y\", 0))\n", "    shift = 0.0, 0.0\n"),
            ("            elif tag == \"use\" and len(alike) > 1:\n", "            elif False:\n"),
            ("        if key not in self._shared:\n", "        if True:\n"),
        ],
        "plots/svg.py": [("drawn, key=lambda group: _first_of(order, group)", "drawn, key=lambda group: 0")],
    },
    (f"{_T}/test_report.py",): {
        "plots/sheet.py": [("yield from _leaves(child, child.get(\"clip-path\", clip))", "yield child")],
        "report/squeeze.py": [
            ("thead|tbody|li|dt|dd)>", "thead|tbody|li|dt|dd|p)>"),
            ("_BREAK.sub(\"\\n\", parts[index])", "parts[index]"),
        ],
        "report/page.py": [
            ("_MOST_ROWS = 8", "_MOST_ROWS = 7"),
            ("if len(each) < len(problems) and all(each) else []", "if all(each) else []"),
            ("all(value == column[0] for value in column)", "any(value == column[0] for value in column[1:])"),
            ("place if stated[label][\"statement\"] == claim[\"statement\"] else None", "place"),
            ("place if assumed and assumed == claim[\"assumptions\"] else None", "place if assumed else None"),
        ],
        "report/theorems.py": [("            if label != one[\"label\"]:\n", "            if True:\n")],
    },
    (f"{_T}/records/test_coverage.py",): {
        "records/coverage.py": [
            ("        if not self.is_root or self.refuted or self.absent:\n", "        if self.refuted or self.absent:\n"),
            ("        if not self.is_root or self.refuted or self.absent:\n", "        if not self.is_root or self.absent:\n"),
            ("if not own.caught and not self.parts[name].caught and name not in self.not_tested", "if not own.caught and name not in self.not_tested"),
            ("if not own.caught and not self.parts[name].caught and name not in self.not_tested", "if not own.caught and not self.parts[name].caught"),
            ("own = [claim for claim in same if claim[\"part\"] == label]", "own = [claim for claim in same if claim[\"theorem\"] == theorem[\"root\"]]"),
            ("same = [claim for claim in claims if claim[\"paper\"] == paper]", "same = list(claims)"),
            ("if name in by_id and name not in mine]", "if name in by_id]"),
            ("for one in same if one[\"theorem\"] == label}", "for one in same if one[\"theorem\"] == theorem[\"root\"]}"),
            ("if constant[\"weakens\"] and theorem[\"side\"] != \"law\" and _takes_part(constant, own)", "if constant[\"weakens\"] and theorem[\"side\"] != \"law\""),
            ("if constant[\"weakens\"] and theorem[\"side\"] != \"law\" and _takes_part(constant, own)", "if constant[\"weakens\"] and _takes_part(constant, own)"),
            ("return min(cells, key=lambda cell: cell.factor, default=Cell())", "return cells[0] if cells else Cell()"),
            ("seen in (\"survived\", \"untestable\") and name in by_parts", "seen != \"killed\" and name in by_parts"),
            ("for name in dict.fromkeys((*partners, *(theorem.get(\"claims\") or ())))", "for name in partners"),
            ("return constant.get(\"read\") is not False", "return bool(constant.get(\"read\"))"),
            ("order = (\"killed\", \"survived\", \"weaker\", \"untestable\")", "order = (\"survived\", \"killed\", \"weaker\", \"untestable\")"),
            ("    rows = [row for row in rows if row.is_root]\n", "    rows = list(rows)\n"),
            ("counts[word] += own <= limit", "counts[word] += min(own, part) <= limit"),
            ("counts[word] += own <= limit", "counts[word] += own < limit"),
            ("        if not self.is_root or self.refuted or self.absent:\n", "        if not self.is_root or self.refuted:\n"),
            ("SHARP, FAIR = 2.0, 10.0", "SHARP, FAIR = 2.0, 11.0"),
        ],
        "records/write.py": [("            if row.asked\n", "            if True\n")],
        "records/theorems.py": [("(*(one.get(\"claims\") or ()), *here)", "here"), ("name in read if known_source(theorem) else None", "name in read")],
        "report/coverage.py": [
            ("        elif name in row.not_tested:\n", "        elif False:\n"),
            ("        never = [name for name, own in row.own.items() if not own.caught]", "        never = list(row.own)"),
            ("row.count(\"killed\", \"killed by a part\"), row.count(\"survived\")", "row.count(\"killed\"), row.count(\"survived\")"),
        ],
    },
    (f"{_T}/test_changes.py", f"{_T}/test_runner.py::test_list_tells_what_a_run_has_covered", f"{_T}/test_runner.py::test_a_run_of_few_theorems_prints_their_coverage_and_one_of_many_the_counts", f"{_T}/test_runner.py::test_a_run_that_would_not_notice_a_better_constant_fails"): {
        "records/diff.py": [
            ("min(row.own[name].factor, row.parts[name].factor) for row in (was, now)", "row.own[name].factor for row in (was, now)"),
            ("kind = \"lost\" if other > one else \"gained\"", "kind = \"gained\" if other > one else \"lost\""),
            ("if one != other and max(one, other) > factor * min(one, other):", "if one != other:"),
            ("killed.startswith(\"killed\") and not still.startswith(\"killed\")", "not still.startswith(\"killed\")"),
            ("(*_WORSE, *(_LESS_TESTED if strict else ()))", "(*_WORSE, *_LESS_TESTED)"),
        ],
        "theory_checks/cli.py": [
            ("got_worse(found, strict=options.strict)", "got_worse(found)"),
        ],
        "theory_checks/statuses.py": [
            ("    if unmet_expectations(claims, theorems):\n", "    if unmet_expectations(claims):\n"),
        ],
        "report/coverage.py": [
            ("for row in rows if set(ids) & set(row.claims) for", "for row in rows for"),
            ("    if 0 < len(rows) <= _FEW:\n", "    if 0 < len(rows) < _FEW:\n"),
        ],
        "records/write.py": [("        \"not_tested\": dict(claim.not_tested),\n", "        \"not_tested\": {},\n")],
    },
    (f"{_PEP}/test_steps.py",): {
        "pep/steps.py": [
            ("TOLERANCE = 1e-6", "TOLERANCE = 1e3"),
            ("SCALES = (1e-6, 1e-3, 1.0, 1e3, 1e6)", "SCALES = (1.0,)"),
            ("            params = optax.apply_updates(params, updates)\n            outputs += looked_at()\n", "            outputs += looked_at()\n            params = optax.apply_updates(params, updates)\n"),
            ("if question[:2] == (kind, component) and", "if question[0] == kind and"),
            ("            return full if batch is None else lambda point: oracle.gradient(point, batch)", "            return full"),
            ("            return sum(gradients[1:], gradients[0]) / components", "            return sum(gradients[1:], gradients[0])"),
            ("    if at_rest > 0:\n", "    if False:\n"),
            ("    if differs(turned, base[:, order]) > TOLERANCE:\n", "    if False:\n"),
            ("            if axis >= self.capacity:\n", "            if False:\n"),
        ],
    },
    (f"{_PEP}/test_against_pepit.py",): {
        "pep/steps.py": [("            seen = params if output is None else output(state, params)", "            seen = params")],
        "pep/classes.py": [
            ("SmoothStronglyConvexFunction, mu=self.mu, L=self.L)", "SmoothStronglyConvexFunction, mu=0.0, L=self.L)"),
            ("SmoothFunction, L=self.L)", "SmoothFunction, L=2 * self.L)"),
        ],
        "pep/performance.py": [
            ("ConvexIndicatorFunction, D=over.diameter)", "ConvexIndicatorFunction)"),
            ("            self.indicator(self.start)  # which is in the set\n", "            pass\n"),
            ("proximal_step(point, self._set(\"the method\"), 1)[0]", "point"),
            ("(outputs[-1] - outputs[-2]) ** 2", "(outputs[-1] - outputs[0]) ** 2"),
            ("for k in range(len(performance.outputs[0]))", "for k in range(1)"),
            ("            lowest = value - gradient**2 / (2 * self.each.L)", "            lowest = value"),
        ],
    },
    (f"{_PEP}/test_attained.py",): {
        "pep/worst_function.py": [
            ("    mu, stretch = kind.curvature, kind.L - kind.curvature\n", "    mu, stretch = 0.0, kind.L\n"),
            ("    values = samples.values - mu / 2 * np.sum(samples.points**2, axis=1)", "    values = samples.values"),
            ("        return convex + self.curvature / 2 * jnp.sum(x**2)", "        return convex"),
        ],
        "pep/attained.py": [("worst.program.solved(margin=MARGIN * each.L * over.diameter**2)", "worst.program.solved()")],
    },
    ("tests/optzoo/lmo/test_hulls.py",): {
        "optzoo/lmo/hulls.py": [
            ("usable = slope > eps**0.75", "usable = slope > 8 * eps"),
            ("ratios + 2 * eps / slope", "ratios"),
            ("steep = blocks & (slope >= 0.1 * jnp.max(jnp.where(blocks, slope, 0)))", "steep = blocks"),
            ("distances[1] < distances[0]", "distances[1] > distances[0]"),
        ],
    },
    (f"{_PEP}/test_weighting.py",): {
        "pep/weighting.py": [
            ("    gram, slope = gram / scale, slope / scale\n", ""),
            ("gram + jnp.diag(at.z / at.a)", "gram + jnp.diag(at.z)"),
            ("centred - at.a * at.z - ahead.a * ahead.z", "-at.a * at.z"),
            ("BORDER * _longest(at, ahead)", "BORDER"),
        ],
    },
    (f"{_PEP}/test_worst_operator.py",): {
        "pep/worst_operator.py": [("    for border in (arc, segment):", "    for border in (arc,):"), ("    for border in (arc, segment):", "    for border in (segment,):")],
    },
    (f"{_PEP}/test_one_more_place.py",): {
        "pep/one_more_place.py": [
            ("(kind.mu * b - kind.L**2 * a)", "(kind.mu * b - kind.L * a)"),
            ("(kind.mu * b - kind.L**2 * a)", "(-(kind.L**2) * a)"),
            ("    values = b - total * a\n", "    values = b + total * a\n"),
            ("best = self.lipschitz @ values + self.monotone @ away / 2", "best = self.lipschitz @ values + self.monotone @ away"),
            ("        except SolverFailed:\n            break", "        except SolverFailed:\n            raise"),
            ("further=(*worst.program.further, *new)", "further=(*new,)"),
        ],
        "pep/performance.py": [("[*points, *values]) <= 0)", "[*points, *values]) <= 1)")],
    },
    (f"{_PEP}/test_one_step_with_noise.py",): {
        "markovian_noise/worst_step.py": [
            ("            bias**2 + error**2 - V * s,", "            error**2 - V * s,"),
            ("        s = sigma**2 + DELTA**2 * performance.gradient(x_g) ** 2", "        s = sigma**2 + DELTA**2 * performance.gradient(x_f) ** 2"),
            ("bias + sign * error", "bias + error"),
        ],
    },
    (f"{_PEP}/test_one_step_of_three_pillars.py",): {
        "three_pillars/worst_step.py": [
            ("u + 2 * gamma * change]", "u + gamma * change]"),
            ("gamma * (operator.gradient(u) + change)", "gamma * operator.gradient(u)"),
            ("        kept = p * (z - star) ** 2 + (1 - p) * (m - star) ** 2", "        kept = (1 - p) * (z - star) ** 2 + p * (m - star) ** 2"),
        ],
    },
    (f"{_PEP}/test_expectations.py",): {
        "pep/expectations.py": [
            ("p ** (steps - 1 - drawn) * ((1 - p) / components) ** drawn", "p ** (steps - drawn) * ((1 - p) / components) ** drawn"),
            ("        if coins not in fell:\n", "        if False:\n"),
            ("return {coins: keys[fell.index(coins)] for coins in every}", "return {coins: keys[0] for coins in every}"),
        ],
        "pep/performance.py": [("            probability * quantity(outputs)\n", "            quantity(outputs)\n")],
    },
    (f"{_PEP}/test_solve.py",): {
        "pep/solve.py": [
            ("        if status == \"optimal\":\n", "        if status.startswith(\"optimal\"):\n"),
            ("        if not abs(certificate - value) <= GAP * max(1.0, abs(value)):\n", "        if False:\n"),
            ("            return bound, accuracy\n", "            return bound, ACCURACIES[0]\n"),
            ("_ONE_AT_A_TIME = threading.RLock()", "import contextlib\n_ONE_AT_A_TIME = contextlib.nullcontext()"),
            ("(cvxpy.error.SolverError, AssertionError, np.linalg.LinAlgError)", "(AssertionError, np.linalg.LinAlgError)"),
            ("    missing = [name for module, name in needed.items() if not _installed(module)]", "    missing = []"),
        ],
        "pep/performance.py": [("    return [performance.squared_distance(performance.start) - radius**2]", "    return [performance.squared_distance(performance.start) - radius]"), ("    return [performance.excess(performance.start) - radius]", "    return [performance.excess(performance.start) - radius**2]")],
    },
    (f"{_D}/test_active_set.py::test_the_iterate_stays_its_combination_and_in_the_set",): {
        "optzoo/_active_set.py": [
            ("DRIFT = 128\n", "DRIFT = 1e9\n"),
            ("drift = factor * drift + _PER_STEP", "drift = drift * 0 + _PER_STEP"),
        ],
    },
    (f"{_D}/test_active_set.py::test_the_oracles_atom_is_found_whatever_its_last_bits",): {
        "optzoo/_active_set.py": [
            ("known = excess <= 4 * _eps(size) * total(terms)", "known = excess == 0"),
        ],
    },
    (f"{_D}/test_active_set.py::test_every_step_is_the_papers_against_plain_numpy[exact-box-pairwise]", f"{_D}/test_active_set.py::test_every_step_is_the_papers_against_plain_numpy[short-l1_ball-pairwise]",): {
        "optzoo/_active_set.py": [
            ("known = excess <= 4 * _eps(size) * total(terms)", "known = excess <= 4e13 * _eps(size) * total(terms)"),
            ("largest = jnp.where(loses, jnp.where(gains, w_a, away), 1)", "largest = jnp.where(loses, jnp.where(gains, 1, away), 1)"),
            ("(eta >= largest * (1 - 4 * eps))", "(eta > largest)"),
            ("swapped = gone & comes & gains", "swapped = gone & gains"),
        ],
        "optzoo/pairwise_frank_wolfe.py": [
            ("swaps=state.swaps + outcome.swapped.astype(jnp.int32)", "swaps=state.swaps + outcome.dropped.astype(jnp.int32)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_16_bit_parameters_stand_for_a_float32_iterate",): {
        "optzoo/_active_set.py": [
            ("moved = ~(worst <= 2 * size)", "moved = ~(worst <= 0)"),
            ("/ float(finfo(own.dtype).eps)", "/ float(finfo(here.dtype).eps)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_nan_gradients_are_not_swallowed_and_leave_no_trace",): {
        "optzoo/_active_set.py": [
            ("moved = ~(worst <= 2 * size)", "moved = worst > 2 * size"),
            ("size = jnp.fmax(active.size, _largest(s))", "size = jnp.maximum(active.size, _largest(s))"),
            ("jnp.where(jnp.isnan(leaf), 0, leaf), row_s)", "leaf, row_s)"),
            ("lambda si, xi: jnp.where(jnp.isnan(si), si, xi), view.s, x_next)", "lambda si, xi: xi, view.s, x_next)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_moved_parameters_start_the_set_anew",): {
        "optzoo/_active_set.py": [
            ("moved = ~(worst <= 2 * size)", "moved = jnp.array(False)"),
            ("a = _where(moved, x, _row(active.atoms, index_a))", "a = _row(active.atoms, index_a)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_free_slots_are_no_atoms",): {
        "optzoo/_active_set.py": [
            ("index_a = jnp.argmax(jnp.where(weights > 0, products, -jnp.inf))", "index_a = jnp.argmax(products)"),
            ("index_local = jnp.argmin(jnp.where(weights > 0, products, jnp.inf))", "index_local = jnp.argmin(products)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_two_atoms_become_their_mean",): {
        "optzoo/_active_set.py": [
            ("second = jnp.argmin(jnp.where(slots == lightest, jnp.inf, weights))", "second = jnp.argmax(weights)"),
            ("merging = view.crowded & gains & ~local", "merging = jnp.array(False)"),
            ("lambda one, other: one + share.astype(one.dtype) * (other - one),", "lambda one, other: one,"),
            ("weights = jnp.where(merging & (slots == lightest), pair, weights)", "weights = weights"),
        ],
        "optzoo/away_step_frank_wolfe.py": [
            ("local = view.crowded & toward & (view.local_gap >= view.gap)", "local = view.crowded & toward"),
        ],
        "optzoo/pairwise_frank_wolfe.py": [
            ("local = view.crowded & (view.local_gap >= view.gap)", "local = view.crowded"),
        ],
    },
    (f"{_D}/test_active_set.py::test_every_step_is_the_papers_against_plain_numpy[short-l1_ball-away_step]",): {
        "optzoo/_active_set.py": [
            ("away = jnp.where(rest > 0, w_a / jnp.where(rest > 0, rest, 1), 0)", "away = w_a"),
            ("factor = 1 - eta_gained + eta_lost", "factor = 1 - eta_gained - eta_lost"),
        ],
        "optzoo/away_step_frank_wolfe.py": [
            ("toward = (view.gap >= view.away_gap) | view.alone", "toward = view.gap >= view.local_gap"),
            ("drops=state.drops + outcome.dropped.astype(jnp.int32)", "drops=state.drops + 0"),
        ],
    },
    (f"{_D}/test_active_set.py::test_at_a_minimum_at_a_vertex_nothing_moves",): {
        "optzoo/_active_set.py": [
            ("gone = loses & ~same & (eta > 0)", "gone = loses & (eta > 0)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_weights_at_round_off_are_forgotten_and_the_others_sum_to_one",): {
        "optzoo/_active_set.py": [
            ("weights = weights / jnp.sum(weights)\n", ""),
            ("vanishes = weights <= 2 * eps", "vanishes = weights < 0"),
        ],
    },
    (f"{_D}/test_active_set.py::test_any_tree_and_a_set_of_matrices",): {
        "optzoo/_active_set.py": [
            ("return max(dimension(params) + 1, 2)", "return max(dimension(params), 2)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_mistakes_are_named",): {
        "optzoo/_active_set.py": [
            ("        require_integer(\"max_atoms\", max_atoms, 2)", "        require_integer(\"max_atoms\", max_atoms, 1)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_a_full_set_steps_inside_itself_where_that_promises_more",): {
        "optzoo/pairwise_frank_wolfe.py": [
            ("local = view.crowded & (view.local_gap >= view.gap)", "local = view.crowded & jnp.array(False)"),
        ],
    },
    (f"{_D}/test_active_set.py::test_every_step_is_the_papers_against_plain_numpy[short-l1_ball-blended_pairwise]",): {
        "optzoo/blended_pairwise_frank_wolfe.py": [
            ("local = view.local_gap >= view.gap", "local = view.away_gap >= view.gap"),
            ("local = view.local_gap >= view.gap", "local = (view.local_gap >= view.gap) & view.known"),
            ("local_steps=state.local_steps + local.astype(jnp.int32)", "local_steps=state.local_steps + outcome.dropped.astype(jnp.int32)"),
        ],
    },
    (f"{_D}/test_step_rules.py",): {
        "optzoo/step_rules.py": [
            ("        m, u = scale_by_largest(direction)\n", "        m, u = jnp.ones([], wide_dtype(direction)), direction\n"),
            ("best = jnp.where(curvature > 0, descent / jnp.where(curvature > 0, curvature, 1), 0)", "best = descent / curvature"),
            ("return jnp.clip(best, 0, largest.astype(best.dtype))", "return jnp.minimum(best, largest.astype(best.dtype))"),
            ("finite = jnp.isfinite(value) & jnp.isfinite(derivative)", "finite = jnp.isfinite(derivative)"),
            ("return jnp.where(start < 0, root, 0)", "return root"),
            ("secant = _fraction_or_half(at_end / (at_end - start))", "secant = 0.5 * jnp.ones_like(largest)"),
            ("use_last = bracket.found | (bracket.slope_last < 0)", "use_last = jnp.array(True)"),
            ("found=jnp.abs(f) <= allowed", "found=f <= allowed"),
            ("phi**2 < xi", "phi**2 < 0 * xi"),
            ("return ~search.found & wide & (search.evaluations < self.max_iterations)", "return ~search.found & wide"),
            ("require_closed_interval(\"tolerance\", self.tolerance, 0.0, 1.0)", "pass"),
        ],
        "optzoo/_frank_wolfe_step.py": [
            ("return jnp.minimum(eta.astype(largest.dtype), largest)", "return eta.astype(largest.dtype)"),
            ("    if value_fn is None:\n", "    if False:\n"),
            ("    if are_concrete(updates, params, steps) and int(steps) == 0:\n", "    if False:\n"),
            ("jax.eval_shape(wide, params, params))", "params)"),
        ],
    },
    (f"{_CHECKS}/test_over_a_class.py",): {
        "checks/over_a_class.py": [
            ("REFUTED\" if by_run.any() or by_worst.any() else", "REFUTED\" if by_run.any() else"),
            ("REFUTED\" if by_run.any() or by_worst.any() else", "REFUTED\" if by_worst.any() else"),
            ("[one.value if one.exact else np.nan for one in solved]", "[one.value for one in solved]"),
            ("SOLVED_TO = 1e-5", "SOLVED_TO = 0.0"),
            ("        except ImportError:\n", "        except KeyError:\n"),
            ("        except SolverFailed as error:\n", "        except KeyError as error:\n"),
            ("return bool(self._exceeded_by_run(said).any() or self._exceeded_by_worst(said).any())", "return bool(self._exceeded_by_run(said).any())"),
        ],
    },
    (f"{_D}/lmo/test_leading_eigenvectors.py",): {
        "optzoo/lmo/_leading_eigenvectors.py": [
            ("GUARDS = 2", "GUARDS = 0"),
            ("return max(eps**0.75, 2 * eps * dim**0.5)", "return eps**0.5"),
            ("sizes = jnp.linalg.norm(triangle, axis=1)", "sizes = abs(jnp.diag(triangle))"),
        ],
    },
    (f"{_D}/lmo/test_order_statistic.py",): {
        "optzoo/lmo/_order_statistic.py": [
            ("            from_high,\n            passes + 1,", "            found,\n            passes + 1,"),
            ("enough = found >= k", "enough = found > k"),
            ("equal & (jnp.cumsum(equal, dtype=jnp.int32) <= room)", "equal & (jnp.cumsum(equal, dtype=jnp.int32) < room)"),
            ("        lambda: equal,\n", "        lambda: equal & False,\n"),
            ("candidate = jnp.where(shrank, jnp.clip(guess, low + one, high - one), halfway)", "candidate = jnp.where(shrank, guess, halfway)"),
            ("    vector = jnp.where(vector == 0, jnp.zeros((), vector.dtype), vector)\n", ""),
        ],
    },
    (f"{_D}/lmo/test_first_sets.py",): {
        "optzoo/_tree_vector.py": [
            ("    start = jnp.minimum(block * width, size - width)", "    start = block * width"),
            ("    block = jax.lax.argmax(maxima, 0, jnp.int32)", "    block = jax.lax.argmax(maxima[:-1], 0, jnp.int32)"),
            ("flags.append(jnp.isfinite(jnp.sum(leaf * 0)))", "flags.append(jnp.array(True))"),
        ],
    },
    (f"{_D}/test_stochastic_frank_wolfe.py",): {
        "optzoo/stochastic_frank_wolfe.py": [
            ("jax.tree.map(jnp.add, state.total, wide(updates, params))", "jax.tree.map(lambda s, u: (s + u).astype(u.dtype).astype(s.dtype), state.total, updates)"),
            ("            mean_of(total, needed),", "            mean_of(state.total, needed),"),
            ("            total=emptied(complete, total),", "            total=total,"),
            ("gathered=jnp.where(complete, 0, gathered)", "gathered=gathered"),
            ("calls_needed(samples_per_step, state.steps, batch_size)", "calls_needed(samples_per_step, state.calls, batch_size)"),
            ("lambda: rate(state.steps) if", "lambda: rate(state.calls) if"),
            ("jnp.ceil((G * (k + 2) / (L * D)) ** 2)", "jnp.ceil((G * (k + 1) / (L * D)) ** 2)"),
            ("jnp.ceil((G * (k + 2) / (L * D)) ** 2)", "jnp.ceil(G * (k + 2) / (L * D)) ** 2"),
            ("calls=optax.safe_increment(state.calls)", "calls=state.calls + 1"),
            ("calls=optax.safe_increment(state.calls)", "calls=optax.safe_increment(state.steps)"),
        ],
        "optzoo/_micro_batches.py": [
            ("-(-count // size)", "count // size"),
            ("-(-count // size)", "(count + size - 1) // size"),
            ("jnp.where(m >= 1, -(-count // size), 0)", "-(-count // size)"),
            ("jnp.ceil(m) if jnp.issubdtype(m.dtype, jnp.floating) else m", "m"),
            ("jnp.ceil(m) if jnp.issubdtype(m.dtype, jnp.floating) else m", "jnp.ceil(m.astype(jnp.float32))"),
            ("MOST = 2**31 - 128", "MOST = 2**31 - 1"),
            ("        return jax.tree.map(jnp.zeros_like, params), remainder", "        return jax.tree.map(lambda p: 1e-30 * p, params), remainder"),
            ("    if size is not None and size > MOST:", "    if False:"),
        ],
        "optzoo/oracle_calls.py": [
            ("            return 0, _unbounded(state.calls)", "            return 0, state.calls"),
            ("            return 0, _unbounded(state.calls)", "            return 0, _unbounded(state.steps)"),
        ],
    },
    (f"{_D}/test_momentum_frank_wolfe.py",): {
        "optzoo/momentum_frank_wolfe.py": [
            ("return (1 - r) * d + r * g", "return r * d + (1 - r) * g"),
            ("return (1 - r) * d + r * g", "return (1 - r) * d + g"),
            ("return 1 / (jnp.asarray(count, dtype=float) + 1)", "return 2 / (jnp.asarray(count, dtype=float) + 2)"),
            ("jnp.minimum(4 / jnp.cbrt(jnp.asarray(count, dtype=float) + 8) ** 2, 1)", "jnp.minimum(4 / jnp.cbrt(jnp.asarray(count, dtype=float) + 7) ** 2, 1)"),
            ("jnp.cbrt(jnp.asarray(count, dtype=float) + 8) ** 2", "jnp.sqrt(jnp.asarray(count, dtype=float) + 8) ** 2"),
            ("optax.safe_increment(state.steps), estimate, remainder", "optax.safe_increment(state.steps), state.estimate, remainder"),
            ('        require_probability("momentum(0)", first_value("momentum", momentum))', "        pass"),
        ],
        "optzoo/oracle_calls.py": [("        case _:\n            return 0, _unbounded(state.steps)", "        case _:\n            return 0, 2 * _unbounded(state.steps)")],
    },
    (f"{_D}/test_sag_frank_wolfe.py",): {
        "optzoo/sag_frank_wolfe.py": [
            ("jax.tree.map(lambda total: total / n, change)", "jax.tree.map(lambda total: total / b, change)"),
            ("            constraint, rate, state.steps, estimate, params, state.remainder", "            constraint, rate, state.steps, state.table_mean, params, state.remainder"),
            ("table=write_entries(state.table, indices, now, before)", "table=state.table"),
            ("table=jnp.zeros(n, tv.wide_dtype(params))", "table=jnp.zeros(n, jnp.float32)"),
            ("            table_mean=wide_zeros(params),", "            table_mean=jax.tree.map(jnp.zeros_like, params),"),
            ("            table_mean_error=error,", "            table_mean_error=state.table_mean_error,"),
            ("indices, now, rows, b = twice(indices), twice(now), jax.tree.map(twice, rows), 2", "pass"),
            ("        indices = within(indices, n)\n", ""),
        ],
        "optzoo/_gradient_table.py": [
            ("jnp.where(_like_rows(is_first, new), new - y, 0.0), now, before", "new - y, now, before"),
            ("jnp.where(_like_rows(is_first, new), new - y, 0.0), now, before", "jnp.where(_like_rows(is_first, new), new, 0.0), now, before"),
            ("    change = jax.tree.map(jnp.add, change, error)\n", ""),
            ("(known >= 0) & (known < n)", "known < n"),
            ("indices.astype(jnp.int32) if indices.dtype.itemsize < 4 else indices", "indices"),
            ('mode="fill", fill_value=jnp.nan', 'mode="fill", fill_value=0.0'),
            ("            scalars.astype(a.dtype), a, axes=1, precision", "            a.dtype.type(1) + scalars.astype(a.dtype), a, axes=1, precision"),
        ],
        "optzoo/saga_warm_start.py": [
            ("isinstance(state, SagFrankWolfeState) or _is_linear", "_is_linear"),
            ("        rows = wide(features, params) if linear else None\n", "        rows = jax.tree.map(jnp.ones_like, wide(features, params)) if linear else None\n"),
        ],
        "optzoo/oracle_calls.py": [("    SagFrankWolfeState,\n    SagafwState,\n)", "    SagafwState,\n)")],
    },
    (f"{_D}/test_gradient_table.py",): {
        "optzoo/_gradient_table.py": [("return (m - (s - c_seen)) + (c - c_seen)", "return c - c_seen"), ("return (m - (s - c_seen)) + (c - c_seen)", "return m - (s - c_seen)")],
    },
    (f"{_D}/test_sagafw.py",): {
        "optzoo/sagafw.py": [
            ("lambda total, mean: total / b + mean", "lambda total, mean: total / n + mean"),
            ("batch_sum(jax.tree.map(jnp.subtract, seen, stale), rows)", "batch_sum(seen, rows)"),
            ("table=write_entries(state.table, renewed, now, before)", "table=write_entries(state.table, drawn, seen, stale)"),
            ("before = jax.tree.map(lambda entries: entries[b:], read)", "before = read_entries(state.table, drawn)"),
            ("jax.tree.map(lambda total: total / n, change)", "jax.tree.map(lambda total: total / b, change)"),
            ("            table_mean=table_mean,", "            table_mean=state.table_mean,"),
            ("read = read_entries(state.table, jnp.concatenate([drawn, renewed]))\n        stale = jax.tree.map(lambda entries: entries[:b], read)\n        before = jax.tree.map(lambda entries: entries[b:], read)", "stale = read_entries(state.table, drawn)\n        before = read_entries(state.table, renewed)"),
            ('renewed, now, a = batch("refresh_", refresh_indices, refresh_grads_fn, refresh_features)', 'renewed, now, a = batch("refresh_", refresh_indices, sample_grads_fn, refresh_features)'),
            ("            return jax.tree.map(twice, found) if b == 1 else found", "            return found"),
            ("jnp.zeros(n, tv.wide_dtype(params)) if linear else rows", "jnp.zeros(n, jnp.float32) if linear else rows"),
        ],
        "optzoo/_gradient_table.py": [
            ("        target = jnp.where(is_first, indices, n)", "        target = indices"),
            ("jnp.where(_like_rows(is_first, new), new, old), mode", "new, mode"),
        ],
        "optzoo/saga_warm_start.py": [('return features is not None or getattr(mean, "shape", None) != ()', "return True"), ('return features is not None or getattr(mean, "shape", None) != ()', "return features is not None")],
        "optzoo/oracle_calls.py": [("case SagaSarahFrankWolfeState() | SagafwState():", "case SagaSarahFrankWolfeState():")],
    },
    (f"{_D}/test_svrf.py",): {
        "optzoo/svrf.py": [
            ("                lambda s, new, old: s + (new - old),", "                lambda s, new, old: s + new,"),
            ("batch_gradient(state.snapshot)", "batch_gradient(params)"),
            ("return state.snapshot, state.full_gradient, total", "return params, state.full_gradient, total"),
            ("jax.tree.map(jnp.add, mean_of(total, needed), full)", "mean_of(total, needed)"),
            ("calls_needed(samples, k, batch_size)", "calls_needed(samples, state.steps, batch_size)"),
            ("rate(k) if callable(rate) else rate", "rate(state.steps) if callable(rate) else rate"),
            ("return jnp.where(t == 0, 1.0, given)", "return given"),
            ("return 96 * (jnp.asarray(count, dtype=float) + 2)", "return 96 * (jnp.asarray(count, dtype=float) + 1)"),
            ("jnp.left_shift(1, jnp.minimum(t + 3, 30)) - 2", "jnp.left_shift(1, jnp.minimum(t + 3, 30)) - 1"),
            ("jnp.minimum(t + 3, 30)", "t + 3"),
            ("            calls=jnp.where(begins, state.calls, optax.safe_increment(state.calls)),", "            calls=optax.safe_increment(state.calls),"),
            ("            gathered=jnp.where(complete, 0, gathered),", "            gathered=gathered,"),
            ("            total=emptied(complete, total),", "            total=total,"),
            ("            total=wide_zeros(params),\n            snapshot=", "            total=jax.tree.map(jnp.zeros_like, params),\n            snapshot="),
        ],
        "optzoo/_minibatch_functions.py": [
            ("are_concrete(updates, params, epochs) and int(epochs) == 0", "False"),
            ("are_concrete(updates, params, epochs) and int(epochs) == 0", "are_concrete(updates, params, epochs)"),
            ('    require_function("full_grad_fn", full_grad_fn, "the parameters")\n', ""),
            ('        require_matching_tree(f"the result of {which}", value, params)\n', ""),
        ],
        "optzoo/oracle_calls.py": [
            ("return _unbounded(state.epochs), 2 * _unbounded(state.calls)", "return _unbounded(state.epochs), _unbounded(state.calls)"),
            ("return _unbounded(state.epochs), 2 * _unbounded(state.calls)", "return _unbounded(state.epochs) - 1, 2 * _unbounded(state.calls)"),
        ],
    },
    (f"{_D}/test_spider_frank_wolfe.py",): {
        "optzoo/spider_frank_wolfe.py": [
            ("                lambda s, new, old: s + (new - old),", "                lambda s, new, old: (s + new) - old / 2,"),
            ("batch_gradient(state.previous)", "batch_gradient(params)"),
            ("            return state.estimate, total\n", "            return full_gradient(params), total\n"),
            ("jnp.left_shift(1, jnp.minimum(epochs - 1, 30))", "jnp.left_shift(1, epochs - 1)"),
            ("jnp.left_shift(1, jnp.minimum(epochs - 1, 30))", "jnp.left_shift(1, jnp.minimum(epochs, 30))"),
            ("length.astype(float) + k.astype(float)", "length.astype(float) + (k - 1).astype(float)"),
            ("default = length if epoch_length is None else batch_size", "default = length"),
            ("calls_needed(samples, state.steps, batch_size)", "calls_needed(samples, k, batch_size)"),
            ("            previous=renewed(params, state.previous),", "            previous=params,"),
            ("            estimate=renewed(estimate, state.estimate),", "            estimate=estimate,"),
            ("epoch_steps=jnp.where(complete, k % length, state.epoch_steps)", "epoch_steps=jnp.where(complete, k, state.epoch_steps)"),
            ("            calls=jnp.where(begins, state.calls, optax.safe_increment(state.calls)),", "            calls=optax.safe_increment(state.calls),"),
            ("return learning_rate(state.steps) if callable", "return learning_rate(state.calls) if callable"),
            ("        if learning_rate is None:\n            raise", "        if False:\n            raise"),
            ("            total=wide_zeros(params),\n            estimate=", "            total=jax.tree.map(jnp.zeros_like, params),\n            estimate="),
        ],
    },
    (f"{_PLANS}[stochastic]",): {
        "projection_free_methods/settings.py": [
            ("eta = 2 / (k + 2) if own else np.broadcast_to(np.asarray(steps, dtype=np.float64), k.shape)", "eta = 2 / (k + 3) if own else np.broadcast_to(np.asarray(steps, dtype=np.float64), k.shape)"),
            ("calls = np.ceil(wanted / b).astype(np.int64)", "calls = np.floor(wanted / b).astype(np.int64) + 1"),
            ("Plan.of(eta, calls), _tables(eta, 1 / (b * calls))", "Plan.of(eta, calls), _tables(eta, 1 / calls)"),
            ("np.append(0, np.cumsum(self.calls))[np.asarray(steps)]", "np.append(0, np.cumsum(self.calls))[np.asarray(steps) - 1]"),
            ('np.cumsum(self.calls), np.asarray(calls), side="right"', 'np.cumsum(self.calls), np.asarray(calls), side="left"'),
        ],
    },
    (f"{_PLANS}[momentum]",): {
        "projection_free_methods/settings.py": [
            ("eta = 1 / (k[:-1] + 1) if own", "eta = 2 / (k[:-1] + 2) if own"),
        ],
    },
    (f"{_PLANS}[svrf]",): {
        "projection_free_methods/settings.py": [
            ("(1, *(2 ** (t + 3) - 2 for t in range(1, 20)))", "(1, *(2 ** (t + 2) - 2 for t in range(1, 20)))"),
            ("        96 * (by_place + 2)\n", "        96 * (by_place + 1)\n"),
            ("calls = np.where(fresh, 1, np.ceil(wanted[k] / b)).astype(np.int64)", "calls = np.ceil(wanted[k] / b).astype(np.int64)"),
        ],
    },
    (f"{_PLANS}[spider]",): {
        "projection_free_methods/settings.py": [
            ("_epochs((2**t for t in range(30)), horizon)", "_epochs((2**t + 1 for t in range(30)), horizon)"),
            ("eta, fresh = 2 / (length + k + 1.0), k == 0", "eta, fresh = 2 / (length + k + 2.0), k == 0"),
            ("calls = np.where(fresh, 1, np.ceil(length / b)).astype(np.int64)", "calls = np.where(fresh, 1, np.ceil(k / b)).astype(np.int64)"),
        ],
    },
    (f"{_PLANS}[spider constant]",): {
        "projection_free_methods/settings.py": [
            ("fresh = np.arange(horizon) % epoch == 0", "fresh = np.arange(horizon) % epoch == 1"),
        ],
    },
    (f"{_PLANS}[svrf, given]",): {
        "projection_free_methods/settings.py": [
            ("    eta[0] = 1.0  # the start\n", ""),
        ],
    },
    (f"{_PLANS}[stochastic, given]",): {
        "projection_free_methods/processes.py": [
            ("table[jnp.minimum(k, len(table) - 1)]", "table[jnp.minimum(k + 1, len(table) - 1)]"),
        ],
    },
    (f"{_PROJECTION_FREE}::test_own_steps_are_left_to_the_method",): {
        "projection_free_methods/processes.py": [
            ("steps = None if self.own_steps else schedule(self.steps)", "steps = schedule(self.steps)"),
        ],
    },
    (f"{_PROJECTION_FREE}::test_the_weights_of_momentum_are_those_of_the_bound",): {
        "projection_free_methods/settings.py": [
            ("rho = 4 / (k + 8) ** (2 / 3) if weights is None", "rho = 4 / (k + 9) ** (2 / 3) if weights is None"),
        ],
    },
    (
        f"{_PROJECTION_FREE}::test_expectations_of_independent_samples",
        f"{_PROJECTION_FREE}::test_expectations_over_two_batches_a_step",
        f"{_PROJECTION_FREE}::test_expectations_of_a_scalar_a_sample",
    ): {
        "projection_free_methods/processes.py": [
            ("batches[code // len(batches) ** k % len(batches)]", "batches[code % len(batches)]"),
            ("outcomes = len(batches) ** calls", "outcomes = len(batches) ** calls // 2"),
            ("        first, second = jnp.split(batch, 2)\n", "        first, second = batch[:1], batch[:1]\n"),
            ("weight=lambda run, k: run.steps[k]", "weight=lambda run, k: 1.0"),
            ("        if not self.warm:\n            return start\n", "        if not self.warm or self.linear:\n            return start\n"),
            ('"features": jnp.asarray(problem.features)[batch],', '"features": jnp.abs(jnp.asarray(problem.features)[batch]),'),
        ],
        "projection_free_methods/settings.py": [
            ("off = 0.0 if warm else (1 - a) * float(jnp.sum(abs(slopes)))", "off = 0.0 if warm else float(jnp.sum(abs(slopes)))"),
            ("a = index_probability(n, b, replacement=True)\n    own = steps is None", "a = b / n / 2\n    own = steps is None"),
        ],
    },
    (
        f"{_PROJECTION_FREE}::test_the_deviation_of_samples_is_the_largest_on_the_set",
        f"{_PROJECTION_FREE}::test_the_diameters_of_images_are_the_largest_on_the_set",
    ): {
        "projection_free_methods/settings.py": [
            ("float(np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1)))", "float(np.mean(np.sum(rows**2, axis=1)))"),
            ("return Constant(largest**0.5,", "return Constant(largest,"),
            ("for sign in (1, -1) for axis in axes]", "for sign in (1,) for axis in axes]"),
            ('(("1", 1), ("2", 2), ("inf", np.inf))', '(("1", 1), ("2", 1), ("inf", np.inf))'),
            ("float(np.linalg.norm(apart, order, axis=-1).max())", "float(np.linalg.norm(images, order, axis=-1).max())"),
        ],
    },
    (f"{_PROJECTION_FREE}::test_constants_on_the_line_against_a_grid",): {
        "projection_free_methods/instances.py": [
            ("float(np.clip(-slope / curvature, -1, 1))", "float(-slope / curvature)"),
            ("    if curvature > 0:\n", "    if False:\n"),
            ("-float(np.mean(a * y))", "float(np.mean(a * y))"),
            ('known={"D": 2.0}', 'known={"D": 1.0}'),
        ],
    },
    (f"{_PROJECTION_FREE}::test_the_solution_on_a_face_is_the_minimizer",): {
        "projection_free_methods/active_sets.py": [
            ("slope = gradient - hessian @ solution", "slope = gradient - hessian @ solution / 2"),
            ("gradient = -pull * np.where(inside, signs, 0.5 * signs)", "gradient = pull * np.where(inside, signs, 0.5 * signs)"),
            ("gradient = -pull * np.where(inside, signs, 0.5 * signs)", "gradient = -pull * signs"),
            ("np.geomspace(1 / condition, 1, dim)", "np.geomspace(1 / condition, 2, dim)"),
            ("inside = np.arange(dim) < -(-dim // 2)", "inside = np.arange(dim) < dim"),
            ("solution = weights / weights.sum()\n        gradient", "solution = weights\n        gradient"),
            ("start = np.asarray(constraint.lmo(jnp.asarray(-(hessian @ np.ones(dim) + slope))))", "start = solution"),
            ('"r_0": Constant(self._excess(self.start)', '"r_0": Constant(self._excess(self.start) / 2'),
        ],
    },
    (f"{_PROJECTION_FREE}::test_widths_are_those_of_the_facial_distances",): {
        "projection_free_methods/active_sets.py": [
            ("2 / (d if d % 2 == 0 else d - 1 / d) ** 0.5", "2 / d**0.5"),
            ("optzoo.lmo.box(0.0, 1.0), lambda d: d**-0.5", "optzoo.lmo.box(-1.0, 1.0), lambda d: d**-0.5"),
            ("optzoo.lmo.l1_ball(1.0), lambda d: (d - 1) ** -0.5", "optzoo.lmo.l1_ball(1.0), lambda d: d**-0.5"),
        ],
    },
    (f"{_PROJECTION_FREE}::test_excess_and_good_steps_of_a_run",): {
        "projection_free_methods/active_sets.py": [
            ('getattr(state, "drops", 0) + getattr(state, "swaps", 0)', 'getattr(state, "swaps", 0) + 0'),
            ("np.arange(1, steps + 1) - np.asarray(short)", "np.arange(steps) - np.asarray(short)"),
            ("weights = jnp.zeros(room).at[: x.size].set(x)", "weights = jnp.zeros(room).at[: x.size].set(1 / x.size)"),
        ],
    },
    (f"{_PROJECTION_FREE}::test_costs_are_those_that_the_states_count",): {
        "projection_free_methods/complexity.py": [
            ('1 if name == "sag" else 2),\n        tuple(np', "2),\n        tuple(np"),
            ("tuple(batches + float(problem.num_samples) * fresh)", "tuple(batches + float(problem.num_samples) * (fresh > 0))"),
            ("(plan.calls_to(steps) - fresh)", "plan.calls_to(steps)"),
            ('_in_the_long_run("saga", 2.0 * 4)', '_in_the_long_run("saga", 4.0)'),
            ("p * SAMPLES + 2 * (1 - p) * b)", "p * SAMPLES + (1 - p) * b)"),
            ("tuple(float(b) * ticks)", "tuple(float(b) * steps)"),
        ],
    },
    (f"{_PROJECTION_FREE}::test_the_least_number_of_steps_is_found", f"{_PROJECTION_FREE}::test_sag_needs_what_its_recursion_tends_to", f"{_PROJECTION_FREE}::test_gradients_that_suffice_do"): {
        "projection_free_methods/counts.py": [
            ("    while high - low > 1:", "    while high - low > 2:"),
            ("(low, middle) if reached(middle) else (middle, high)", "(middle, high) if reached(middle) else (low, middle)"),
            ("return 2 * A / EPS * b", "return A / EPS * b"),
            ("stale = (1 - a) / a * plan.L_phi * plan.D_1", "stale = plan.L_phi * plan.D_1 / a"),
            ("return 4 * START * slope / EPS**2", "return 2 * START * slope / EPS**2"),
        ],
    },
    (f"{_PROJECTION_FREE}::test_the_next_error_on_a_line_is_that_of_all_batches", f"{_PROJECTION_FREE}::test_lines_have_batches_of_the_cube_root"): {
        "projection_free_methods/line.py": [
            ("return spread / run.batch_size", "return spread"),
            ("jnp.sum(jnp.var(off, axis=0))", "jnp.sum(jnp.mean(off**2, axis=0))"),
            ("n = b**3 + b % 2\n", "n = b**2 + b % 2\n"),
            ("STEPS = 1500", "STEPS = 150"),
        ],
    },
    (f"{_PROJECTION_FREE}::test_notes_say_who_is_faster_than_its_theorem", f"{_PROJECTION_FREE}::test_every_method_is_in_the_panel_of_its_kind"): {
        "projection_free_methods/side_by_side.py": [
            ("\"faster than\" if off > 0 else", "\"faster than\" if off < 0 else"),
            ("WITHIN = 0.05", "WITHIN = 0.2"),
            ("WITHIN = 0.05", "WITHIN = 0.02"),
            ("value = -float(np.polyfit", "value = float(np.polyfit"),
            ("kind = GAPS if cost.metric", "kind = SUMS if cost.metric"),
            ("KINDS.get(method, SUMS)", "SUMS"),
            ("cost.looks * laboratory.seeds", "laboratory.seeds"),
            ("getattr(cost, unit))\n            kind", 'getattr(cost, "calls"))\n            kind'),
            ("x, stated = np.asarray(getattr(cost, unit))", 'x, stated = np.asarray(getattr(cost, "calls"))'),
        ],
    },
    (f"{_ON_DATA}::test_counts_and_levels_of_every_method",): {
        "benchmarks/frank_wolfe_on_data.py": [
            ("gradients = float(n) * int(state.steps)", "gradients = float(b) * int(state.steps)"),
            ("float(optzoo.gradient_calls(state, n, b))", "float(optzoo.gradient_calls(state, n, 1))"),
            ("partial(optzoo.svrf, batch_size=b)", "partial(optzoo.svrf, batch_size=2 * b)"),
            ("done or seen[-1][0] >= epochs", "done or seen[-1][0] >= 2 * epochs"),
        ],
    },
    (f"{_ON_DATA}::test_a_run_is_the_loop_that_anyone_would_write",): {
        "benchmarks/frank_wolfe_on_data.py": [
            ("jax.random.fold_in(batch_key, k), (b,), 0, n)", "batch_key, (b,), 0, n)"),
            ("full_grad_fn=everything.gradient,", "full_grad_fn=batch.gradient,"),
            ("everything.gradient(x), state, x, value_fn=everything.value", "everything.gradient(x) / 2 + 0.1, state, x, value_fn=everything.value"),
            ("seen.append((gradients / n, float(state.steps)", "seen.append((gradients / n, gradients / n"),
            ("advance(carry, loss, key, watch.steps, watch.next_look)", "advance(carry, loss, key, 0, watch.next_look - watch.steps)"),
        ],
    },
    (
        f"{_ON_DATA}::test_the_excess_is_over_the_minimum_on_the_ball",
        f"{_ON_DATA}::test_every_stochastic_method_is_there_with_both_steps",
        f"{_ON_DATA}::test_the_first_look_below_a_level_counts",
        f"{_ON_DATA}::test_winners_need_the_fewest_gradients",
        f"{_ON_DATA}::test_cells_are_medians_and_end_at_what_is_resolved",
        f"{_ON_DATA}::test_without_the_folder_of_data_breast_cancer_alone_is_measured",
        f"{_ON_DATA}::test_the_folder_of_data_is_read",
    ): {
        "benchmarks/frank_wolfe_on_data.py": [
            ("float(np.mean(np.logaddexp(0.0, -margins))) - self.optimum.lower", "float(np.mean(np.logaddexp(0.0, margins))) - self.optimum.lower"),
            ("found.append(Method(name, CLASSIC, fixed(make, classic), linear=linear))", "found.append(Method(name, OWN, fixed(make, classic), linear=linear))"),
            ("self.excess <= level", "self.excess >= level"),
            ("[below[0]]", "[below[-1]]"),
            ("if own in (steps, SEARCH) or name", "if own == steps or name"),
            ("if own in (steps, SEARCH) or name == \"Frank-Wolfe\"", "if own in (steps, SEARCH)"),
            ("sorted(found, key=lambda name: found[name])[:2]", "sorted(found, key=lambda name: -found[name])[:2]"),
            ('track.first("epochs", level) for track in runs', 'track.first("oracle", level) for track in runs'),
            ("if np.isinf(found[first]):", "if False:"),
            ("float(np.median([track.excess.min() for track in found]))", "float(np.median([track.excess[-1] for track in found[:1]])) * 2"),
            ("np.median([track.excess.min() for track in found])), problem.resolved)", "np.median([track.excess.min() for track in found])), 0.0)"),
            ("    if data_folder() is None:\n", "    if False:\n"),
            ('for name in ("a9a", "mushrooms")]', 'for name in ("a9a",)]'),
            ("libsvm(name, scale=False)", "libsvm(name)"),
        ],
    },
    (f"{_ON_DATA}::test_the_report_has_a_row_a_method_and_its_figure",): {
        "benchmarks/frank_wolfe_on_data.py": [
            ("seeds = SEEDS[:1] if method.full else SEEDS", "seeds = SEEDS"),
            ("if own not in (steps, SEARCH) and name", "if own not in (OWN, SEARCH) and name"),
            ("getattr(track, unit)[shown], track.excess[shown]", "track.oracle[shown], track.excess[shown]"),
            ('style = "--" if own == SEARCH or name == "Frank-Wolfe" else "-"', 'style = "--" if own == SEARCH else "-"'),
        ],
    },
    (f"{_D}/theorems/test_projection_free_methods.py",): {
        "theorems/projection_free_methods_constants.py": [
            ("share = min(1.0, bound[-1] / largest) if largest > 0 else 1.0", "share = bound[-1] / largest if largest > 0 else 1.0"),
            ("2 * self.L * self.D**2 / (np.asarray(k, dtype=np.float64) + 3)", "2 * self.L * self.D**2 / (np.asarray(k, dtype=np.float64) + 4)"),
            ("self._fallen(min(0.5, self.condition / 4), good)", "self._fallen(min(0.5, self.condition / 2), good)"),
            ("self.sigma**2 * np.asarray(nu, dtype=np.float64)", "self.sigma * np.asarray(nu, dtype=np.float64)"),
            ("4 * self.L * self.D**2 / (np.asarray(k, dtype=np.float64) + 2)", "2 * self.L * self.D**2 / (np.asarray(k, dtype=np.float64) + 2)"),
            ("floats(momentum)[1:], strict", "floats(momentum)[:-1], strict"),
            ("drifted = math.sqrt(bound[-1]) + self.L * self.D * step", "drifted = math.sqrt(bound[-1]) + self.L * step"),
            ("taken = bound[-1] if is_fresh else taken", "taken = self.r_0"),
            ("self.descent(step, 0 if is_fresh else error)", "self.descent(step, error)"),
            ("self.L_max * self.D**2 / 2.0 ** (np.asarray(epoch) + 1)", "self.L_max * self.D**2 / 2.0 ** (np.asarray(epoch) + 2)"),
            ("(self.L_pm * self.D * eta[k - 1]) ** 2", "(self.L_pm * self.D * eta[k]) ** 2"),
            ("            if not np.asarray(fresh)[k]:\n", "            if True:\n"),
            ("self.L_pm * math.sqrt(nu * (epoch - 1))", "self.L_pm * math.sqrt(nu)"),
            ("(math.sqrt(bound[-1]) + move) ** 2 + self.a * move**2", "(math.sqrt(bound[-1]) + move) ** 2"),
            ("(kept + math.sqrt(kept**2 + self.a)) / self.a", "(kept + math.sqrt(kept + self.a)) / self.a"),
            ("self.nu * self.staleness(steps)", "self.staleness(steps)"),
            ("(1 - self.a) * (bound[-1] + self.L_phi * self.D_1 * step)", "(1 - self.a) * bound[-1] + self.L_phi * self.D_1 * step"),
            ("bound.append((1 - step) * bound[-1] + more / self.n)", "bound.append((1 - step) * bound[-1] + more)"),
        ],
    },
}  # fmt: skip

FAULTS: tuple[Fault, ...] = tuple(
    Fault(file, old, new, tests)
    for tests, files in _TABLE.items()
    for file, changes in files.items()
    for old, new in changes
)
