"""The one door to compiled code.

============  ==================================  ====================================================
module        source                              holds
============  ==================================  ====================================================
`formulas`    ``ext/cython/formulas.pyx``         correlations as NumPy ufuncs (stateless)
`passes`      ``ext/cython/passes.pyx``           passes over arrays the caller owns (resampling)
`smoothing`   ``ext/cython/smoothing.pyx``        the energy store between grid and load (one pass)
`network`     ``ext/bindings/network.cpp``        the thermal network engine (state, time loop)
`flow`        ``ext/bindings/flow.cpp``           the flow network: flows and pressures (Newton)
`modes`       ``ext/bindings/modes.cpp``          conduction in uniform layers (cosine modes)
`conduction`  ``ext/bindings/conduction.cpp``     heat conduction in blocks of cells (multigrid)
`subspace`    ``ext/bindings/subspace.cpp``        fields as sums of a few: products, hottest cells
============  ==================================  ====================================================
"""
