"""The experiments that the design rests on, each reproduced by one command: `mrclassic lab run NAME`.

An experiment is a module with `about`, `arms` and `findings`; `experiment` says what these are, `run` carries one out,
`methods` holds the ways to train that they compare, `note` writes down what came of it. Nothing that runs here touches
the model in use, the store or its runs: what is trained is measured and thrown away.
"""
