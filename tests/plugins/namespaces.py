"""Arguments for which every namespace has to give what numpy gives."""

import numpy as np

X = np.float32([[-2.5, -1, -0.5, 0, 0.25], [0.5, 1, 1.5, 2, 40]])
Y = np.float32([[0.5, 2, -1, 3, 0.25], [-0.5, 2, 0.75, -3, 7]])
ARGUMENTS = {
    **{name: (np.tanh(X) * np.float32(0.99),) for name in ("acos", "asin", "atanh", "erfinv")},
    **{name: (np.clip(X, -5, 5),) for name in ("cosh", "sinh", "tan")},
    "acosh": (np.abs(X) + 1,),
    "argsort": (np.abs(Y), 1),
    "atan2": (X, Y),
    "cumulative_prod": (X, 1),
    "cumulative_sum": (X, 1),
    "remainder": (X, Y),
    "take": (X, [1, 0, 1], 0),
    "take_along_axis": (X, np.int32([[1, 0, 4], [2, 2, 3]]), 1),
    "astype": (X > 0, np.float32),
    "clip": (X, -1.0, 1.0),
    "concat": ([X, X], 1),
    "log": (np.abs(X) + 1,),
    "log1p": (np.abs(X),),
    "matmul": (X, X.T),
    "maximum": (X, 0.25),
    "minimum": (X, 0.25),
    "pow": (np.abs(X), 1.5),
    "reshape": (X, (5, -1)),
    "rsqrt": (np.abs(X) + 1,),
    "sqrt": (np.abs(X),),
    "where": (X > 0, X, 2 * X),
}
