"""Jobs from user input: sources, models, options, recipes, resumed runs."""
